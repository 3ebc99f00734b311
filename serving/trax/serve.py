"""``python -m serving trax``: track for a program that speaks TraX on standard input and output.

Version 4 of the protocol is spoken, with several targets: the VOT toolkit of releases 0.8 and 0.9 refuses trackers of
one target. Whatever anything prints goes to standard error, so that standard output carries messages only.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from runtime.followed import Followed
from runtime.open_engines import open_locators
from runtime.tracker import Tracker, TrackerState
from serving.trax.messages import Message, compose, parse
from serving.trax.payload import IMAGE_FORMATS, REGION_FORMATS, read_image, read_region
from siamtrt import ModelCard, PipelineError, UsageError, cli

_HELLO = {
    "trax_version": "4",
    "trax_multiobject": "1",
    "trax_image": IMAGE_FORMATS,
    "trax_region": REGION_FORMATS,
    "trax_channels": "color;",
}
_LONGEST_BYTES = 256 << 20  # an image in a message, with room to spare

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")


def main(options: argparse.Namespace) -> None:
    """Serve one client until it quits."""

    def open_trackers(count: int) -> list[Tracker]:
        return [Tracker(locator) for locator in open_locators(options.engines, count, threads=options.threads)]

    with _standard_output_claimed() as answers, Followed(open_trackers) as targets:
        targets.make_room(1)
        name = f"{ModelCard.load(options.engines).title.replace(' ', '-')}-{options.engines.resolve().name}"
        serve(targets, sys.stdin.buffer, answers, name=name)


def serve(targets: Followed, requests: BinaryIO, answers: BinaryIO, *, name: str) -> None:
    """Introduce the tracker, then answer requests until the client quits or is gone.

    Args:
        targets: stay the caller's.
        requests: lines of the client.
        answers: read by the client; flushed after each message.
        name: of the tracker, told to the client.

    Raises:
        PipelineError: a message is damaged or out of turn, an image unreadable, or the tracker failed. The client is
            told the reason before.
    """

    def answer(line: str) -> None:
        answers.write(line.encode("utf-8", "surrogateescape"))
        answers.flush()

    try:
        answer(compose("hello", trax_name=name, **_HELLO))
        for message in _messages(requests):
            if message.name == "quit":
                return
            if message.name == "initialize":
                _take_target(targets, message)
            elif message.name == "frame":
                (image,) = _arguments(message, 1)
                answer("".join(map(_state, targets.follow(read_image(image)))))
            else:
                raise UsageError(f"{message.name!r} is no TraX message for a tracker", hint="initialize, frame or quit")
    except PipelineError as error:
        with suppress(BrokenPipeError):
            answer(compose("quit", trax_reason=error.problem))
        raise
    except BrokenPipeError:
        pass
    log.warning("the client went away without saying quit")


def _messages(requests: BinaryIO) -> Iterator[Message]:
    while True:
        line = requests.readline(_LONGEST_BYTES)
        if not line:
            return
        if len(line) == _LONGEST_BYTES:
            raise UsageError(f"a TraX message is longer than {_LONGEST_BYTES >> 20} MiB", hint="send images by path")
        message = parse(line.decode("utf-8", "surrogateescape"))
        if message is not None:
            yield message


def _take_target(targets: Followed, message: Message) -> None:
    """Take a target for the next frame, or forget all where the message is empty."""
    if message.arguments:
        (region,) = _arguments(message, 1)
        targets.add(read_region(region))
    else:
        targets.clear()


def _state(state: TrackerState) -> str:
    score = {} if state.score is None else {"confidence": f"{state.score:.6f}"}
    return compose("state", str(state.box), **score)


def _arguments(message: Message, count: int) -> tuple[str, ...]:
    if len(message.arguments) != count:
        raise UsageError(
            f"the TraX message {message.name} has {len(message.arguments)} arguments, not {count}",
            hint="does the client speak version 4, with one image channel?",
        )
    return message.arguments


@contextmanager
def _standard_output_claimed() -> Iterator[BinaryIO]:
    """Keep standard output for messages: what anything else prints goes to standard error, from C libraries too."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "wb", buffering=0) as answers:
        os.dup2(2, 1)
        try:
            yield answers
        finally:
            sys.stdout.flush()
            os.dup2(answers.fileno(), 1)
