"""Asks a board one question after another, keeps each answer at once, and goes on where it was interrupted."""

from __future__ import annotations

import html
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from benchmarks.reports.drawing.page import page, table
from siamtrt import PipelineError, claim, documents
from siamtrt.environment import describe
from siamtrt.files import write_text

RECORD, DOCUMENT, PAGE = "board.partial.json", "board.json", "board.html"

log = logging.getLogger(__name__)


class Skipped(Exception):  # noqa: N818, nothing went wrong
    """A question that cannot be asked here; the text says why."""


@dataclass(frozen=True)
class Answer:
    """What came of one question.

    Attributes:
        question: the question.
        verdict: ``yes``, ``no`` or ``skipped``.
        text: the answer, or what was wrong.
        seconds: how long it took.
    """

    question: str
    verdict: str
    text: str
    seconds: float


Question = Callable[[], str]


def ask(questions: Mapping[str, Question], out: Path, key: Mapping[str, Any]) -> Iterator[Answer]:
    """Ask what was not yet answered with yes under *key*; what failed or was skipped before is asked again.

    Args:
        questions: sentence -> function that returns the answer, or raises.
        out: folder of the answers.
        key: what the answers depend on: the machine, the library, the revision, the options.

    Yields:
        Each answer, when it is known and kept.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    kept = claim.finished(out / RECORD, key)
    for question, answer in questions.items():
        if kept.get(question, {}).get("verdict") != "yes":
            kept[question] = asdict(_asked(question, answer))
            claim.save(out / RECORD, key, kept)
        yield Answer(**kept[question])


def write(answers: list[Answer], out: Path, command: str) -> None:
    """Write ``board.json`` and ``board.html`` into *out*.

    Raises:
        ArtifactError: they cannot be written.
    """
    environment = describe()
    rows = [asdict(answer) for answer in answers]
    documents.write(out / DOCUMENT, {"command": command, "answers": rows, "environment": environment})
    cells = [[answer.verdict, answer.question, answer.text, f"{answer.seconds:.1f} s"] for answer in answers]
    machine = "".join(f"<li>{html.escape(f'{name}: {value}')}</li>" for name, value in environment.items())
    body = f"{table(['', 'question', 'answer', 'took'], cells)}<ul>{machine}</ul>"
    write_text(out / PAGE, page("Board check", body))


def _asked(question: str, answer: Question) -> Answer:
    started_s = time.monotonic()
    try:
        verdict, text = "yes", answer()
    except Skipped as reason:
        verdict, text = "skipped", str(reason)
    except PipelineError as error:
        verdict, text = "no", f"{error.problem}; try: {error.hint}" if error.hint else error.problem
    return Answer(question, verdict, text, time.monotonic() - started_s)
