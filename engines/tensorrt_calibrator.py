"""What TensorRT asks for activation ranges: our own as a cache, or its entropy calibration over our crops.

TensorRT swallows whatever is raised inside a calibrator and takes it for "no cache" or "no more data". So each call
keeps what went wrong, and :func:`calibrating` raises it after the build.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Iterator, List, Optional, Protocol, Sequence, Type

from siamtrt import BuildError, calibration_cache
from siamtrt.files import write_bytes

log = logging.getLogger(__name__)


class Calibration(Protocol):
    """Where the ranges of one build come from."""

    def read_cache(self) -> Optional[bytes]:
        """A cache TensorRT shall take, or None to make it calibrate."""

    def next_batch(self, names: Sequence[str]) -> Optional[List[int]]:
        """Addresses on the GPU of one sample of the inputs *names*, or None after the last."""

    def write_cache(self, cache: bytes) -> None:
        """Take the cache TensorRT made."""

    def require_complete(self) -> None:
        """Prove that TensorRT took all that it should have.

        Raises:
            BuildError: it did not.
        """


class ServedRanges:
    """Our ranges, as a cache for TensorRT *version*."""

    def __init__(self, cache: bytes) -> None:
        self._cache, self._read, self._asked = cache, False, False

    def read_cache(self) -> Optional[bytes]:
        """The cache."""
        self._read = True
        return self._cache

    def next_batch(self, names: Sequence[str]) -> Optional[List[int]]:
        """Nothing: TensorRT asks only when it has refused the cache."""
        log.warning("TensorRT refused our ranges and asks for samples of %s", list(names))
        self._asked = True
        return None

    def write_cache(self, cache: bytes) -> None:
        """Nothing to do: it is the one that was served."""

    def require_complete(self) -> None:
        """See :class:`Calibration`."""
        if self._asked or not self._read:
            raise BuildError(
                "TensorRT did not take the activation ranges it was served",
                hint="--calibrator tensorrt lets it measure its own; report the TensorRT version",
            )


class Batches:
    """TensorRT's own calibration over samples, kept as a cache for the next build.

    Args:
        samples: each gives the address on the GPU of one sample of the graph's one input, when called.
        path: of the cache; its name has to change with the graph, the library and the samples.
        version: of TensorRT.
    """

    def __init__(self, samples: Sequence[Callable[[], int]], path: Path, version: str) -> None:
        self._samples, self._path, self._version = samples, path, version
        self._served, self._finished = 0, False

    def read_cache(self) -> Optional[bytes]:
        """The cache of an earlier build over the same samples.

        Raises:
            ArtifactError: it is damaged, or of another TensorRT.
        """
        if not self._path.is_file():
            return None
        data = self._path.read_bytes()
        calibration_cache.parse(data, tensorrt=self._version)
        self._finished = True
        return data

    def next_batch(self, names: Sequence[str]) -> Optional[List[int]]:
        """The next sample.

        Raises:
            ArtifactError: it cannot be read.
            BuildError: the graph has more than the one input.
        """
        if len(names) != 1:
            raise BuildError(f"TensorRT asks for the inputs {list(names)}, samples are of one")
        if self._served == len(self._samples):
            return None
        address = self._samples[self._served]()
        self._served += 1
        log.debug("calibrating, sample %d of %d", self._served, len(self._samples))
        return [address]

    def write_cache(self, cache: bytes) -> None:
        """Keep the cache, if it is of all samples: one of a few would be taken for whole by the next build.

        Raises:
            BuildError: TensorRT stopped before the last sample.
            ArtifactError: TensorRT made a cache of another kind, or it cannot be written.
        """
        if self._served != len(self._samples):
            raise BuildError(f"TensorRT's calibration stopped after {self._served} of {len(self._samples)} samples")
        calibration_cache.parse(cache, tensorrt=self._version)
        write_bytes(self._path, cache)
        self._finished = True

    def require_complete(self) -> None:
        """See :class:`Calibration`."""
        if not self._finished:
            raise BuildError(
                f"TensorRT took {self._served} of {len(self._samples)} samples and made no calibration cache of them"
            )


@contextmanager
def calibrating(trt: Any, config: Any, calibration: Calibration) -> Iterator[None]:
    """Let the build inside the block take its ranges from *calibration*.

    Raises:
        BuildError: TensorRT did not take all of it.
        PipelineError: what was raised inside the calibrator.
    """
    calibrator = _make(trt, calibration)
    config.int8_calibrator = calibrator
    try:
        yield
    except BuildError:
        if calibrator.failed.error is None:
            raise
    if calibrator.failed.error is not None:
        raise calibrator.failed.error
    calibration.require_complete()


def _make(trt: Any, calibration: Calibration) -> Any:
    class Calibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)  # without this TensorRT crashes
            self.failed = _FirstError()
            self.cache: Optional[bytes] = None

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: Sequence[str], *_: Any) -> Optional[List[int]]:
            with self.failed:
                return None if self.failed.error else calibration.next_batch(names)

        def read_calibration_cache(self) -> Optional[bytes]:
            with self.failed:
                self.cache = calibration.read_cache()  # kept: TensorRT reads it after the return
            return self.cache

        def write_calibration_cache(self, cache: Any) -> None:
            with self.failed:
                calibration.write_cache(bytes(cache))

    return Calibrator()


class _FirstError:
    """Keeps the first exception that leaves its ``with`` block, and lets it pass."""

    error: Optional[BaseException] = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.error = self.error or error
