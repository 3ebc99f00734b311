"""``python -m benchmarks board-check``: what a board answers on its first day, one line a question."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.trials import child
from benchmarks.trials.board.check import PAGE, Answer, ask, write
from benchmarks.trials.board.questions import Board, questions
from siamtrt import BuildError, cli
from siamtrt.cli import command_line, count
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.manifest import FILE_NAME


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    parser.add_argument("--inputs", type=Path, help="the same model, exported with --kernel-inputs")
    parser.add_argument("--ranges", type=Path, help="folder written by python -m calibration, for INT8")
    parser.add_argument("--clip", type=Path, required=True, help="folder written by python -m benchmarks clip")
    parser.add_argument("--frames", type=count, default=100, help="of the clip to track")
    parser.add_argument("--out", type=Path, required=True, help="folder for engines, logs and the page")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Ask, print each answer, write the page, and end with an error where an answer was no."""
    board = Board(options.onnx, options.inputs, options.ranges, options.clip, options.out, options.frames, child.run)
    answers: list[Answer] = []
    for answer in ask(questions(board), options.out, _key(options)):
        answers.append(answer)
        if not options.json:
            print(f"{answer.verdict:8} {answer.question} {answer.text}", flush=True)
    write(answers, options.out, command_line("benchmarks"))
    cli.show(options, str(options.out / PAGE), {"answers": answers, "page": options.out / PAGE})
    refused = [answer.question for answer in answers if answer.verdict == "no"]
    if refused:
        raise BuildError(
            f"{len(refused)} of {len(answers)} answers are no: {' '.join(refused)}", hint=f"send {options.out / PAGE}"
        )


def _key(options: argparse.Namespace) -> dict[str, Any]:
    """What the answers depend on; folders by their content, as one that was made anew keeps its path."""
    machine, folders = describe(), {"onnx": options.onnx, "inputs": options.inputs, "ranges": options.ranges}
    return {
        **{name: sha256(folder / FILE_NAME) if folder else None for name, folder in folders.items()},
        "options": [str(options.clip), options.frames],
        **{name: machine[name] for name in ("board", "l4t", "power_mode", "git_revision", "packages")},
    }
