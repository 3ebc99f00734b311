"""``python -m networks``: the models by name, with their sizes."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

import argparse

import torch

from networks.models import MODELS, build
from siamtrt import cli

_ROW = "{:<20} {:<6} {:>9} {:>9} {:>9}  {}"


def main(options: argparse.Namespace) -> None:
    """Print a row for each model."""
    lines, figures = [_ROW.format("model", "family", "template", "search", "weights", "constants of")], []
    for name, model in MODELS.items():
        with torch.device("meta"):  # counts weights without making them
            count = sum(parameter.numel() for parameter in build(name).parameters())
        sizes = f"{model.template_px} px", f"{model.search_px} px"
        lines.append(_ROW.format(name, model.family, *sizes, f"{count / 1e6:.2f} M", model.tracker.source))
        entry = {"model": name, "family": model.family, "template_px": model.template_px, "search_px": model.search_px}
        figures.append({**entry, "weights": count, "constants_of": model.tracker.source})
    cli.show(options, "\n".join(lines), figures)


def arguments() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = cli.parser("networks", "List the models.")
    cli.add_json(parser)
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
