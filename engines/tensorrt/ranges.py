"""Where the activation ranges of a TensorRT build come from: ours as a cache, or samples TensorRT measures them on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Callable, Sequence

from siamtrt import BuildError
from siamtrt.files import write_bytes
from siamtrt.libraries import calibration_cache

_LOGGED_SAMPLES = 100

log = logging.getLogger(__name__)


class RangesRefusedError(BuildError):
    """TensorRT ignored the calibration cache it was served."""


class ServedRanges:
    """Our ranges, served to TensorRT as a cache of its own form."""

    def __init__(self, cache: bytes) -> None:
        self._cache, self._read, self._asked = cache, False, False

    def read_cache(self) -> bytes | None:
        """The cache."""
        self._read = True
        return self._cache

    def next_batch(self, names: Sequence[str]) -> list[int] | None:
        """Nothing: TensorRT asks only when it has refused the cache."""
        log.warning("TensorRT refused our ranges and asks for samples of %s", list(names))
        self._asked = True
        return None

    def write_cache(self, cache: bytes) -> None:
        """Nothing to do: it is the one that was served."""

    def require_complete(self) -> None:
        """Prove that TensorRT took the cache.

        Raises:
            BuildError: it did not.
        """
        if self._asked or not self._read:
            raise RangesRefusedError(
                "TensorRT did not take the activation ranges it was served",
                hint="--calibrator tensorrt lets it measure its own; report the TensorRT version",
            )


class Batches:
    """TensorRT's own calibration over samples, kept as a cache for the next build.

    Args:
        samples: each gives the address on the GPU of one sample of the graph's one input, when called.
        path: where the cache lies; its name has to change with the graph, the library and the samples.
        version: the version of TensorRT.
    """

    def __init__(self, samples: Sequence[Callable[[], int]], path: Path, version: str) -> None:
        self._samples, self._path, self._version = samples, path, version
        self._served, self._finished = 0, False

    def read_cache(self) -> bytes | None:
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

    def next_batch(self, names: Sequence[str]) -> list[int] | None:
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
        if self._served % _LOGGED_SAMPLES == 0:
            log.info("calibrating, %d of %d samples", self._served, len(self._samples))
        return [address]

    def write_cache(self, cache: bytes) -> None:
        """Keep the cache, if it is of all samples: one of a few would be taken for whole by the next build.

        Raises:
            BuildError: TensorRT stopped before the last sample.
            ArtifactError: TensorRT made a cache of another kind or with a range of zero, or it cannot be written.
        """
        if self._finished:
            return  # it hands back what it has read
        if self._served != len(self._samples):
            raise BuildError(f"TensorRT's calibration stopped after {self._served} of {len(self._samples)} samples")
        calibration_cache.parse(cache, tensorrt=self._version)
        write_bytes(self._path, cache)
        self._finished = True

    def require_complete(self) -> None:
        """Prove that TensorRT took every sample and made a cache.

        Raises:
            BuildError: it did not.
        """
        if not self._finished:
            raise BuildError(
                f"TensorRT took {self._served} of {len(self._samples)} samples and made no calibration cache of them",
                hint="--calibrator ranges takes the measured ranges as they are",
            )
