"""``python -m runtime``: track, trax."""

from __future__ import annotations

import argparse
import sys

from runtime import track
from runtime.trax import serve
from siamtrt import cli


def main(options: argparse.Namespace) -> None:
    """Run the chosen command."""
    options.main(options)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("runtime", "Run a tracker.")
    commands = arguments.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("track", help="follow an object through a video", allow_abbrev=False)
    track.add_arguments(command)
    command.set_defaults(main=track.main)
    command = commands.add_parser(
        "trax", help="track for a program that speaks TraX, as vot evaluate", allow_abbrev=False
    )
    serve.add_arguments(command)
    command.set_defaults(main=serve.main)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
