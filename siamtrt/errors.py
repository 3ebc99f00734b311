"""Everything this project raises on purpose.

PipelineError                exit
├── UsageError               2   the request itself is wrong
├── MissingDependencyError   3   an optional package is not installed on this machine
├── ArtifactError            4   a file is absent, damaged, or not what its manifest says
│   └── EngineMismatchError  4   an engine was built for another GPU, library or model
├── BuildError               5   an exporter or builder refused the model
├── ParityError              6   two backends disagree beyond the tolerance
├── InferenceError           7   a backend failed on one frame
└── ProbeError               8   a sensor is absent or prints what we cannot read

Only :func:`siamtrt.cli.run` catches these; a bug keeps its traceback and exits with 1.
"""

from __future__ import annotations

from typing import ClassVar


class PipelineError(Exception):
    """Base of the tree: one sentence on the problem, one on the way out.

    Args:
        problem: what is wrong, in one sentence, with the file, name or value concerned.
        hint: the command or fact that solves it; shown on a line of its own.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{problem}\n  try: {hint}" if hint else problem)
        self.problem = problem
        self.hint = hint


class UsageError(PipelineError):
    """The request itself is wrong: an option, a value, a combination."""

    exit_code: ClassVar[int] = 2


class MissingDependencyError(PipelineError):
    """An optional package is not installed on this machine."""

    exit_code: ClassVar[int] = 3


class ArtifactError(PipelineError):
    """A file is absent, damaged, or not what its manifest says."""

    exit_code: ClassVar[int] = 4


class EngineMismatchError(ArtifactError):
    """An engine was built for another GPU, library version or model."""


class BuildError(PipelineError):
    """An exporter or builder refused the model."""

    exit_code: ClassVar[int] = 5


class ParityError(PipelineError):
    """Two backends disagree beyond the tolerance."""

    exit_code: ClassVar[int] = 6


class InferenceError(PipelineError):
    """A backend failed on one frame."""

    exit_code: ClassVar[int] = 7


class ProbeError(PipelineError):
    """A sensor is absent or prints what we cannot read."""

    exit_code: ClassVar[int] = 8
