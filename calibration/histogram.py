"""The magnitudes of one tensor over many samples, and the range each calibration method draws from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from siamtrt.errors import InferenceError, UsageError

BINS = 2048
LEVELS = 128


class Histogram:
    """Counts of ``|x|`` in ``BINS`` equal bins from zero: 16 KiB however many samples are added.

    A value beyond the last bin doubles the bin width and merges the bins in pairs, so no count is ever re-estimated.
    """

    def __init__(self) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros(BINS, np.int64)
        self.width = 0.0
        self.amax = 0.0

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Count the values of one sample.

        Args:
            values: float array of any shape; it is not kept.

        Raises:
            InferenceError: a value is NaN or infinite.
        """
        magnitudes = np.abs(values, dtype=np.float32).ravel().astype(np.float64)
        if not np.isfinite(magnitudes).all():
            raise InferenceError("an activation is NaN or infinite", hint="check the model in FP32 on the same frame")
        highest = float(magnitudes.max(initial=0.0))
        self.amax = max(self.amax, highest)
        if self.width == 0.0 and highest > 0.0:
            self.width = highest / BINS
            # zeros seen before the first value are in bin 0 already, whatever its width
        while highest > self.width * BINS:
            self.counts[: BINS // 2] = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts[BINS // 2 :] = 0
            self.width *= 2
        bins = (magnitudes / self.width).astype(np.int64) if self.width else np.zeros(magnitudes.size, np.int64)
        self.counts += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)

    def minmax(self) -> float:
        """The largest magnitude seen.

        Raises:
            UsageError: the tensor was zero throughout, so any range would be invented.
        """
        if self.amax == 0.0:
            raise UsageError("the tensor is zero in every sample", hint="calibrate with frames that are not all black")
        return self.amax

    def percentile(self, share: float) -> float:
        """The upper edge of the bin below which *share* (0..1] of all magnitudes lie, at most ``minmax()``."""
        highest = self.minmax()
        if not 0.0 < share <= 1.0:
            raise UsageError(f"a share of {share} is not in (0, 1]", hint="0.9999")
        reached = int(np.searchsorted(np.cumsum(self.counts), share * float(self.counts.sum())))
        return min(highest, (reached + 1) * self.width)

    def entropy(self) -> float:
        """The range whose 128 levels lose the least information (Kullback-Leibler), as TensorRT searches it."""
        highest = self.minmax()
        counts = self.counts.astype(np.float64)
        counts[0] = counts[1]  # the zeros after a ReLU are exact at any range and must not outvote the rest
        if not counts.any():
            return highest
        losses = [_divergence(counts, kept) for kept in range(LEVELS, BINS + 1)]
        return min(highest, (LEVELS + int(np.argmin(losses))) * self.width)


def _divergence(counts: npt.NDArray[np.float64], kept: int) -> float:
    """Information lost, in nats, by clipping at bin *kept* and spreading what is left over ``LEVELS`` levels."""
    inside = counts[:kept]
    clipped = inside.copy()
    clipped[-1] += counts[kept:].sum()
    starts = np.arange(LEVELS) * kept // LEVELS
    sizes = np.diff(np.append(starts, kept))
    filled = np.add.reduceat((inside > 0).astype(np.float64), starts)
    means = np.add.reduceat(inside, starts) / np.maximum(filled, 1.0)
    spread = np.where(inside > 0, np.repeat(means, sizes), 0.0)
    seen = clipped > 0
    if not seen.any() or (spread[seen] == 0).any():
        return float("inf")
    p, q = clipped[seen] / clipped.sum(), spread[seen] / spread.sum()
    return float((p * np.log(p / q)).sum())
