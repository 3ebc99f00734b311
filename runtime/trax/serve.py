"""``python -m runtime trax``: track for a program that speaks TraX on standard input and output.

Version 3 of the protocol is spoken: one target, which clients of version 4 accept too. Whatever anything prints goes to
standard error, so that standard output carries messages only.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Iterator, Tuple

from runtime.tracker import Tracker, TrackerState
from runtime.trax.messages import Message, compose, parse
from runtime.trax.payload import IMAGE_FORMATS, REGION_FORMATS, read_image, read_region
from siamtrt import ModelCard, PipelineError, UsageError

_VERSION = "3"
_LONGEST_BYTES = 256 << 20  # an image in a message, with room to spare

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    parser.add_argument("--threads", type=int, help="of the CPU backend; all cores by default")


def main(options: argparse.Namespace) -> None:
    """Serve one client until it quits."""
    with _standard_output_claimed() as answers, Tracker.open(options.engines, threads=options.threads) as tracker:
        name = f"{ModelCard.load(options.engines).name}-{options.engines.resolve().name}"
        serve(tracker, sys.stdin.buffer, answers, name=name)


def serve(tracker: Tracker, requests: BinaryIO, answers: BinaryIO, *, name: str) -> None:
    """Introduce the tracker, then answer requests until the client quits or is gone.

    Args:
        tracker: stays the caller's.
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

    formats = {"trax_image": IMAGE_FORMATS, "trax_region": REGION_FORMATS, "trax_channels": "color;"}
    try:
        answer(compose("hello", trax_version=_VERSION, trax_name=name, **formats))
        for message in _messages(requests):
            if message.name == "quit":
                return
            state = _handle(tracker, message)
            score = {} if state.score is None else {"confidence": f"{state.score:.6f}"}
            answer(compose("state", str(state.box), **score))
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


def _handle(tracker: Tracker, message: Message) -> TrackerState:
    """Do what a message asks for.

    Raises:
        UsageError: an unknown message, one out of turn, or one with other arguments.
    """
    if message.name == "initialize":
        image, region = _arguments(message, 2)
        return tracker.start(read_image(image), read_region(region))
    if message.name == "frame":
        (image,) = _arguments(message, 1)
        return tracker.update(read_image(image))
    raise UsageError(f"{message.name!r} is no TraX message for a tracker", hint="initialize, frame or quit")


def _arguments(message: Message, count: int) -> Tuple[str, ...]:
    if len(message.arguments) != count:
        raise UsageError(
            f"the TraX message {message.name} has {len(message.arguments)} arguments, not {count}",
            hint="does the client speak version 3, with one image channel?",
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
