"""The calibrator that TensorRT asks for activation ranges: a class derived from one of its own.

TensorRT swallows whatever is raised inside a calibrator and takes it for "no cache" or "no more data". So each call
keeps what went wrong, and :func:`calibrating` raises it after the build.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import TracebackType
from typing import Any, Iterator, Protocol, Sequence

from siamtrt import BuildError


class Calibration(Protocol):
    """Where the ranges of one build come from."""

    def read_cache(self) -> bytes | None:
        """The cache that TensorRT shall take, or None to make it calibrate."""

    def next_batch(self, names: Sequence[str]) -> list[int] | None:
        """Addresses on the GPU of one sample of the inputs *names*, or None after the last."""

    def write_cache(self, cache: bytes) -> None:
        """Take the cache TensorRT made."""

    def require_complete(self) -> None:
        """Prove that TensorRT took all that it should have.

        Raises:
            BuildError: it did not.
        """


@contextmanager
def calibrating(trt: Any, config: Any, calibration: Calibration) -> Iterator[None]:
    """Let the build inside the block take its ranges from *calibration*.

    Raises:
        BuildError: TensorRT did not take all of it; where it refused the build, its own reason stands behind that.
        PipelineError: what was raised inside the calibrator.
    """
    calibrator = _make(trt, calibration)
    config.int8_calibrator = calibrator
    try:
        yield
    except BuildError as refusal:
        if calibrator.failed.error is not None:
            raise calibrator.failed.error from refusal
        if calibrator.asked:
            _require_complete(calibration, refusal)
        raise
    if calibrator.failed.error is not None:
        raise calibrator.failed.error
    calibration.require_complete()


def _require_complete(calibration: Calibration, refusal: BuildError) -> None:
    """Say so where TensorRT refused a build for want of ranges: the way out is then another one.

    Raises:
        BuildError: it did.
    """
    try:
        calibration.require_complete()
    except BuildError as incomplete:
        both = f"{incomplete.problem}; {refusal.problem}"
        raise type(incomplete)(both, hint=incomplete.hint or refusal.hint) from refusal


def _make(trt: Any, calibration: Calibration) -> Any:
    class Calibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)  # without this TensorRT crashes
            self.failed = _FirstError()
            self.asked = False
            self.cache: bytes | None = None

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: Sequence[str], *_: Any) -> list[int] | None:
            with self.failed:
                return None if self.failed.error else calibration.next_batch(names)

        def read_calibration_cache(self) -> bytes | None:
            self.asked = True
            with self.failed:
                self.cache = calibration.read_cache()  # kept: TensorRT reads it after the return
            return self.cache

        def write_calibration_cache(self, cache: Any) -> None:
            with self.failed:
                calibration.write_cache(bytes(cache))

    return Calibrator()


class _FirstError:
    """Keeps the first exception that leaves its ``with`` block, and lets it pass."""

    error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.error = self.error or error
