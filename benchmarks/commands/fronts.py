"""``python -m benchmarks fronts``: several sweeps in one page, tracking against rate and energy."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.trials.sweep.fronts import Swept, fronts_page, table
from benchmarks.trials.sweep.page import published
from siamtrt import UsageError, cli
from siamtrt.files import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sweeps", type=Path, nargs="+", help="files sweep.json of python -m benchmarks sweep")
    parser.add_argument("--judged", type=Path, help="a file of python -m benchmarks judge: success on held-out videos")
    parser.add_argument("--out", type=Path, required=True, help="an HTML file")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Draw, and print what no other mix of any model beats.

    Raises:
        UsageError: two sweeps are of one model and backend.
    """
    swept = [Swept.load(path, options.judged) for path in options.sweeps]
    names = [sweep.name for sweep in swept]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"two sweeps are of {twice}", hint="name each model once")
    write_text(options.out, fronts_page(swept, published()))
    cli.show(options, f"{table(swept)}\n{options.out}", {"sweeps": swept, "page": options.out})
