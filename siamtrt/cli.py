"""The frame of every command: logging to standard error, signals, and errors as one sentence and an exit code."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import logging
import os
import re
import select
import shlex
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Container, Iterator, List, Optional, Sequence, Tuple

from siamtrt.errors import PipelineError
from siamtrt.files import require_writable
from siamtrt.version import VERSION

INTERRUPTED, _NOBODY_READS = 130, 141  # 128 and the signal's number, as shells have it
_STANDARD_OUTPUT = 1
_MOST = 2**31 - 1
_ANY_PYTHON = re.compile(r"\bpython[\d.]* -m (?=\w)")

log = logging.getLogger(__name__)


class _Help(argparse.HelpFormatter):
    """Names the defaults that are values."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        default = action.default
        is_value = isinstance(default, (int, float, str)) and not isinstance(default, bool)
        return f"{action.help} (default: %(default)s)" if is_value and default != argparse.SUPPRESS else action.help


def parser(stage: str, description: str) -> argparse.ArgumentParser:
    """An argument parser for ``python -m STAGE`` with the options every command has."""
    made = argparse.ArgumentParser(
        prog=f"{_python()} -m {stage}", description=description, allow_abbrev=False, formatter_class=_Help
    )
    made.add_argument("--version", action="version", version=f"siamtrt {VERSION}")
    _add_quiet(made, default=False)
    return made


def _add_quiet(arguments: argparse.ArgumentParser, default: object) -> None:
    arguments.add_argument("--quiet", action="store_true", default=default, help="log warnings and errors only")


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
    return _table(stage, description, commands, {chosen})


def whole_table(stage: str, description: str, commands: Commands) -> argparse.ArgumentParser:
    """A :func:`table` that has imported the modules of all commands."""
    return _table(stage, description, commands, {name for name, _, _ in commands})


def _table(
    stage: str, description: str, commands: Commands, chosen: Container[Optional[str]]
) -> argparse.ArgumentParser:
    arguments = parser(stage, description)
    subparsers = arguments.add_subparsers(required=True, metavar="COMMAND")
    for name, module, summary in commands:
        command = subparsers.add_parser(
            name, help=summary, description=summary, allow_abbrev=False, formatter_class=_Help
        )
        _add_quiet(command, default=argparse.SUPPRESS)  # may stand before the command or after it
        if name in chosen:
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
        arguments: made by :func:`parser`; that ``--out`` can be written, if there is one, is found out before the work.
        argv: the command line without the program; that of the process by default.

    Returns:
        0, the ``exit_code`` of a :class:`PipelineError`, 130 after Ctrl-C or SIGTERM, or 141 where nobody reads
        standard output any more. Other exceptions keep their traceback.
    """
    options = arguments.parse_args(argv)
    start_log(logging.WARNING if options.quiet else logging.INFO)
    try:
        with _interruptible():
            if getattr(options, "out", None):
                require_writable(options.out)
            main(options)
            sys.stdout.flush()
    except PipelineError as error:
        sys.stderr.write(f"error: {as_typed_here(str(error))}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was finished is kept\n")
        return INTERRUPTED
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STANDARD_OUTPUT)  # for the last flush, at exit
        return _NOBODY_READS
    return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM raise KeyboardInterrupt, unless the caller's shell lets them be ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reader_is_gone() -> bool:
    """Whether nobody reads standard output any more, as when it was piped into ``head``."""
    poll = select.poll()
    poll.register(_STANDARD_OUTPUT, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def add_json(arguments: argparse.ArgumentParser) -> None:
    """Let a command print its table as JSON, see :func:`show`."""
    arguments.add_argument("--json", action="store_true", help="print the figures as JSON in place of the table")


def show(options: argparse.Namespace, table: str, figures: Any) -> None:
    """Print *table*, or what it was made of where ``--json`` was given.

    Args:
        options: of a command that called :func:`add_json`.
        table: lines without the last end.
        figures: ready for JSON, dataclasses and paths among them; a number that is not finite raises ValueError.
    """
    text = json.dumps(figures, default=_plain, indent=1, allow_nan=False) if options.json else table
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    """What JSON has for a dataclass or a path."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r:.60} is not ready for JSON")


def start_log(level: int) -> None:
    """Log to standard error, since standard output carries results."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(levelname).1s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)


class _Lines(logging.Formatter):
    """Lines whose commands can be typed on this machine."""

    def format(self, record: logging.LogRecord) -> str:
        return as_typed_here(super().format(record))


def as_typed_here(text: str) -> str:
    """*text* with each ``python -m`` by the name of the Python that runs: a Jetson has ``python3`` and no ``python``.

    Manifests carry commands from machine to machine, so the name is set where they are shown.
    """
    return _ANY_PYTHON.sub(f"{_python()} -m ", text)


def _python() -> str:
    return Path(sys.executable or "python3").name


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
    return " ".join([_python(), "-m", stage, *(shlex.quote(word) for word in words)])
