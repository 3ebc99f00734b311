"""``siamtrt completion bash``: a script that completes the words of ``siamtrt`` in a shell.

The script holds all commands and options, so that a key press starts no Python. Stages whose libraries are not
installed here are completed by their name alone.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from siamtrt import MissingDependencyError, cli
from siamtrt.__main__ import SHORT, STAGES

SHELLS = ("bash", "zsh", "tcsh")


def main(options: argparse.Namespace) -> None:
    """Print the script."""
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "completion needs shtab", hint="pip install -r requirements/completion.txt"
        ) from error
    everything = whole_parser()
    for command in _parsers(everything):
        for action in command._actions:
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(everything, shell=options.shell))


def whole_parser() -> argparse.ArgumentParser:
    """A parser that knows every stage, every command and every short word with all of their options."""
    everything = argparse.ArgumentParser("siamtrt", allow_abbrev=False)
    words = everything.add_subparsers()
    for stage, summary in STAGES.items():
        made = _stage(stage, summary)
        parents = [made] if made else []
        words.add_parser(stage, help=summary, parents=parents, add_help=not parents, allow_abbrev=False)
    for word, (stage, command) in SHORT.items():
        stage_parser = _stage(stage, "")
        parents = [_commands(stage_parser)[command]] if stage_parser else []
        words.add_parser(word, help=f"{stage} {command}", parents=parents, add_help=not parents, allow_abbrev=False)
    return everything


def _stage(stage: str, summary: str) -> argparse.ArgumentParser | None:
    """The parser of a stage with the options of all its commands; None where a library of it is missing."""
    try:
        module = importlib.import_module(f"{stage}.__main__")
        commands = vars(module).get("COMMANDS")
        made: argparse.ArgumentParser
        made = cli.whole_table(stage, summary, commands) if commands else module.arguments()
    except ModuleNotFoundError as error:
        if error.name in STAGES:
            raise
        return None
    return made


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of its commands by their words."""
    return {
        word: one
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for word, one in action.choices.items()
    }


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    return [parser, *(inner for one in _commands(parser).values() for inner in _parsers(one))]


def arguments() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = cli.parser("siamtrt.completion", "Print a script that completes the words of siamtrt in a shell.")
    parser.add_argument("shell", choices=SHELLS)
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
