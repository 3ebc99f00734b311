"""The arithmetic of 8-bit quantisation: scales, zero points, weights and biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from siamtrt import Array

_LEVELS = 255
_WEIGHT_MAX = 127
_BIAS_MAX = float(1 << 30)  # leaves room for the sum of products in 32 bits


@dataclass(frozen=True)
class Affine:
    """An unsigned 8-bit code: value = scale * (byte - zero)."""

    scale: float
    zero: int


def affine(low: float, high: float) -> Affine:
    """The code that spans *low* to *high*, widened to hold zero exactly.

    Args:
        low: least value, in the unit of the tensor.
        high: greatest value; they must not both be zero.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / _LEVELS
    return Affine(scale, round(-low / scale))


def quantized_weight(weight: Array, bias_steps: Array) -> Tuple[Array, Array]:
    """Round a weight to signed bytes, symmetric, with a scale for each output channel.

    Args:
        weight: OxIxHxW float32.
        bias_steps: the magnitude of each channel's bias divided by the scale of the input, O float64; a channel of
            tiny weights takes a scale coarse enough for its bias to fit 32 bits.

    Returns:
        OxIxHxW int8 in -127..127, and O float32 scales.
    """
    largest = np.abs(weight).reshape(len(weight), -1).max(1).astype(np.float64)
    scales = np.maximum(np.maximum(largest / _WEIGHT_MAX, bias_steps / _BIAS_MAX), np.finfo(np.float32).tiny)
    scales = scales.astype(np.float32)
    shaped = scales.reshape(-1, *[1] * (weight.ndim - 1))
    return np.clip(np.rint(weight / shaped), -_WEIGHT_MAX, _WEIGHT_MAX).astype(np.int8), scales


def quantized_bias(bias: Array, scales: Array) -> Array:
    """Round a bias to int32 at *scales*, the products of the input's scale and the weight's; both of length O."""
    limit = np.iinfo(np.int32).max
    return np.clip(np.rint(bias / scales.astype(np.float64)), -limit, limit).astype(np.int32)
