"""The frame of every command: logging to standard error, and errors as one sentence and an exit code."""

from __future__ import annotations

import argparse
import importlib
import logging
import shlex
import sys
from typing import Callable, List, Optional, Sequence, Tuple

from siamtrt.errors import PipelineError

_INTERRUPTED = 130
_MOST = 2**31 - 1

log = logging.getLogger(__name__)


def parser(stage: str, description: str) -> argparse.ArgumentParser:
    """An argument parser for ``python -m STAGE`` with the options every command has."""
    made = argparse.ArgumentParser(prog=f"python -m {stage}", description=description, allow_abbrev=False)
    made.add_argument("--quiet", action="store_true", help="log warnings and errors only")
    return made


Commands = Sequence[Tuple[str, str, str]]


def table(stage: str, description: str, commands: Commands, argv: Sequence[str]) -> argparse.ArgumentParser:
    """A parser for ``python -m STAGE COMMAND`` that has imported the module of the chosen command alone.

    Args:
        stage: the package.
        description: of it, for ``--help``.
        commands: name, dotted module and one line of help of each; a module has ``add_arguments`` and ``main``.
        argv: the words after the stage; the first that is no option chooses.
    """
    chosen = next((word for word in argv if not word.startswith("-")), None)
    arguments = parser(stage, description)
    subparsers = arguments.add_subparsers(required=True, metavar="COMMAND")
    for name, module, summary in commands:
        command = subparsers.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        if name == chosen:
            loaded = importlib.import_module(module)
            loaded.add_arguments(command)
            command.set_defaults(main=loaded.main)
    return arguments


def run_table(stage: str, description: str, commands: Commands, argv: Optional[Sequence[str]] = None) -> int:
    """Run the command of a :func:`table` that *argv* chooses, see :func:`run`."""
    words = sys.argv[1:] if argv is None else argv
    return run(lambda options: options.main(options), table(stage, description, commands, words), words)


def run(
    main: Callable[[argparse.Namespace], None], arguments: argparse.ArgumentParser, argv: Optional[Sequence[str]] = None
) -> int:
    """Parse the command line, call *main*, and turn what goes wrong into an exit code.

    Args:
        main: does the work; prints the result to standard output.
        arguments: made by :func:`parser`.
        argv: the command line without the program; that of the process by default.

    Returns:
        0, the ``exit_code`` of a :class:`PipelineError`, or 130 after Ctrl-C. Other exceptions keep their traceback.
    """
    options = arguments.parse_args(argv)
    level = logging.WARNING if options.quiet else logging.INFO
    logging.basicConfig(level=level, format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr, force=True)
    try:
        main(options)
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was finished is kept\n")
        return _INTERRUPTED
    return 0


def count(text: str) -> int:
    """The value of an option that is how many of something: 1 to 2147483647, or argparse says what is wrong."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """The value of an option that is a seed: 0 to 2147483647, which every library here takes."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {_MOST}")
    return int(text)


def command_line(stage: str, argv: Optional[List[str]] = None) -> str:
    """The command being run, as a user would type it again; stored in manifests."""
    words = sys.argv[1:] if argv is None else argv
    return " ".join(["python", "-m", stage, *(shlex.quote(word) for word in words)])
