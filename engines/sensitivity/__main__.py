"""``python -m engines.sensitivity``: rank the layers of a model by what their INT8 costs."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

import argparse
from pathlib import Path

from engines.sensitivity.rank import rank
from engines.sensitivity.ranking import table
from siamtrt import cli


def main(options: argparse.Namespace) -> None:
    """Measure, write the ranking, and print its head; what was measured is kept beside it until then."""
    record = options.out.with_name(f"{options.out.stem}.partial.json")
    ranking = rank(
        options.onnx,
        options.ranges,
        options.samples,
        options.steps,
        threads=options.threads,
        corrected=not options.uncorrected,
        record=record,
    )
    ranking.save(options.out)
    record.unlink(missing_ok=True)
    cli.show(options, f"{table(ranking, options.show)}\n{options.out}", ranking)


def arguments() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = cli.parser(
        "engines.sensitivity", "Quantise each layer alone and measure what that does to the maps; rerun to resume."
    )
    parser.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    parser.add_argument("--ranges", type=Path, required=True, help="folder written by python -m calibration")
    parser.add_argument("--out", type=Path, required=True, help="the ranking, a JSON file")
    parser.add_argument("--samples", type=cli.count, default=8, help="how many calibration crops to run")
    parser.add_argument(
        "--steps", type=int, default=4, help="how many steps out of INT8 to try in each graph, 0 for none"
    )
    parser.add_argument("--show", type=cli.count, default=20, help="how many layers to print")
    parser.add_argument("--uncorrected", action="store_true", help="leave the biases as they are, for comparison")
    parser.add_argument("--threads", type=cli.count, help="of each operator; all cores by default")
    cli.add_json(parser)
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
