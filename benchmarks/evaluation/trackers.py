"""What is judged, and how: our tracker, or one of OpenCV's beside it in the same run."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Protocol, Sized

from runtime.tracker import Tracker
from sequences.sequence import Sequence
from siamtrt import Array, ArtifactError, BoundingBox, Manifest, UsageError
from siamtrt.libraries.cuda import SPIN

_NO_GPU = "onnxruntime"


class BoxTracker(Protocol):
    """Follows one target; started anew for each."""

    def start(self, frame: Array, box: BoundingBox) -> None:
        """Take *box* in *frame* (HxWx3 uint8, BGR) as the target."""

    def update(self, frame: Array) -> BoundingBox | None:
        """The target's box in the next frame; None where the tracker itself says that it is gone."""


@contextmanager
def named(sequence: Sequence, done: Sized) -> Iterator[None]:
    """Name the sequence and the frame in an error about a box or frame; *done* has an entry a frame so far.

    Raises:
        ArtifactError: in place of the tracker's UsageError, since it is the data that are wrong.
    """
    try:
        yield
    except UsageError as error:
        problem = f"{sequence.name}, frame {len(done) + 1}: {error.problem}"
        raise ArtifactError(problem, hint="mend the annotation, or fetch the sequence anew") from error


def waiting(backend: str, asked: str | None = None) -> str | None:
    """How a benchmark of *backend* waits for the GPU: as *asked*, else on a core; None where there is none."""
    return asked or (None if backend == _NO_GPU else SPIN)


class OurTracker:
    """The tracker of this project.

    Args:
        engines: folder written by ``python -m engines``.
        threads: of the CPU backend.
    """

    def __init__(self, engines: Path, threads: int | None) -> None:
        backend = Manifest.load(engines, stage="engines").settings["backend"]
        self._tracker = Tracker.open(engines, threads=threads, wait=waiting(backend))

    def start(self, frame: Array, box: BoundingBox) -> None:
        self._tracker.start(frame, box)

    def update(self, frame: Array) -> BoundingBox | None:
        return self._tracker.update(frame).box

    def close(self) -> None:
        """Free the backend's resources."""
        self._tracker.close()
