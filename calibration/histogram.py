"""The magnitudes of one tensor over many samples, and the range each calibration method draws from them."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any, Mapping
from zipfile import BadZipFile

import cv2
import numpy as np
import numpy.typing as npt

from calibration.entropy import least_loss
from siamtrt import ArtifactError, InferenceError, UsageError
from siamtrt.files import whole_file

BINS = 2048
_LEAST_EXPONENT = -120  # bins narrower than 2**-120 would need a scale that float32 does not have
_GREATEST = 2.0**126  # the edge beyond it would overflow float32; a network that comes near is broken as by infinity
_EXACT = 1 << 24  # OpenCV counts in float32, which is exact up to here


class Histogram:
    """Counts of ``|x|`` in ``BINS`` equal bins from zero, and the exact extremes: 16 KiB whatever is added.

    The bin width is a power of two, the least that holds all magnitudes seen. So binning is exact, a merge of bins in
    pairs makes room for larger values without a count being re-estimated, and the order of samples does not matter.
    A magnitude on an edge counts in the bin above it if the value is positive, below it if negative.

    Attributes:
        counts: (BINS,) int64.
        width: of a bin, in the tensor's unit; 0 while only zeros were seen.
        lowest: least value seen, 0 before the first.
        highest: greatest value seen, likewise.
    """

    def __init__(self) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros(BINS, np.int64)
        self.width = 0.0
        self.lowest = math.inf
        self.highest = -math.inf

    @property
    def amax(self) -> float:
        """The largest magnitude seen; 0 before the first value."""
        return max(-self.lowest, self.highest, 0.0)

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Count the values of one sample.

        Args:
            values: float32 array of any shape; it is not kept.

        Raises:
            InferenceError: a value is NaN or infinite.
        """
        if not values.size:
            return
        lowest, highest = float(values.min()), float(values.max())
        if not (lowest > -_GREATEST and highest < _GREATEST):
            raise InferenceError("an activation is NaN or infinite", hint="check the model in FP32 on the same frame")
        self.lowest, self.highest = min(self.lowest, lowest), max(self.highest, highest)
        self._make_room()
        if not self.width:
            self.counts[0] += values.size
            return
        flat = np.ascontiguousarray(values, np.float32).reshape(1, -1)
        for start in range(0, flat.size, _EXACT):
            self.counts += _magnitudes(flat[:, start : start + _EXACT], self.width * BINS, signed=lowest < 0)

    def _make_room(self) -> None:
        """Widen the bins until the largest magnitude lies below the last edge."""
        if self.amax == 0.0:
            return
        needed = 2.0 ** max(_LEAST_EXPONENT, math.frexp(self.amax)[1] - (BINS.bit_length() - 1))
        if not self.width:
            self.width = needed  # zeros seen before are in bin 0 already, whatever its width
        while self.width < needed:
            self.counts[: BINS // 2] = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts[BINS // 2 :] = 0
            self.width *= 2

    def minmax(self) -> float:
        """The largest magnitude seen.

        Raises:
            UsageError: the tensor was zero throughout, so any range would be invented.
        """
        if self.amax == 0.0:
            raise UsageError("the tensor is zero in every sample", hint="calibrate with frames that are not all black")
        return self.amax

    def percentile(self, share: float) -> float:
        """The upper edge of the bin below which *share* (0..1] of all magnitudes lie, at most ``minmax()``.

        Raises:
            UsageError: see ``minmax``; or *share* is not in (0, 1].
        """
        greatest = self.minmax()
        if not 0.0 < share <= 1.0:
            raise UsageError(f"a share of {share} is not in (0, 1]", hint="0.9999")
        reached = int(np.searchsorted(np.cumsum(self.counts), share * float(self.counts.sum())))
        return min(greatest, (reached + 1) * self.width)

    def entropy(self) -> float:
        """The range whose 128 levels lose the least information (Kullback-Leibler), as TensorRT searches it.

        Raises:
            UsageError: see ``minmax``.
        """
        greatest = self.minmax()
        return min(greatest, least_loss(self.counts) * self.width)


def save_histograms(path: Path, key: dict[str, Any], done: int, tables: Mapping[str, Mapping[str, Histogram]]) -> None:
    """Write the histograms of several graphs.

    Args:
        path: an ``.npz`` file.
        key: what they depend on; JSON-ready.
        done: how many samples they hold.
        tables: graph -> value name -> histogram.

    Raises:
        ArtifactError: see :func:`siamtrt.files.whole_file`.
    """
    arrays: dict[str, Any] = {}
    for graph, histograms in tables.items():
        arrays[f"{graph}.names"] = np.array(list(histograms))
        arrays[f"{graph}.counts"] = np.stack([histogram.counts for histogram in histograms.values()])
        arrays[f"{graph}.stats"] = np.array([(h.width, h.lowest, h.highest) for h in histograms.values()])
    with whole_file(path) as temporary:
        np.savez_compressed(str(temporary), key=np.array(json.dumps(key)), done=np.array(done), **arrays)


def load_histograms(path: Path, key: dict[str, Any], tables: Mapping[str, Mapping[str, Histogram]]) -> int:
    """Fill the histograms of *tables* with what was saved under the same *key*; return how many samples they hold.

    Raises:
        ArtifactError: the file is damaged.
    """
    if not path.is_file():
        return 0
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as saved:
            if json.loads(str(saved["key"])) != key:
                return 0
            for graph, histograms in tables.items():
                rows = zip(saved[f"{graph}.names"].tolist(), saved[f"{graph}.counts"], saved[f"{graph}.stats"].tolist())
                for name, counts, (width, lowest, highest) in rows:
                    histogram = histograms[name]
                    histogram.counts, histogram.width = counts, width
                    histogram.lowest, histogram.highest = lowest, highest
            return int(saved["done"])
    except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error) as error:
        raise ArtifactError(f"cannot read {path}: {error}", hint="remove it to measure anew") from error


def _magnitudes(flat: npt.NDArray[np.float32], limit: float, *, signed: bool) -> npt.NDArray[np.int64]:
    """Counts of the magnitudes of 1xN values in ``BINS`` bins below *limit*."""
    bins, least = (2 * BINS, -limit) if signed else (BINS, 0.0)
    counts: npt.NDArray[np.int64] = cv2.calcHist([flat], [0], None, [bins], [least, limit]).ravel().astype(np.int64)
    return counts[BINS:] + counts[BINS - 1 :: -1] if signed else counts
