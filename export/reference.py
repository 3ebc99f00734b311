"""The image that parity is measured on and whose kernels the xcorr graph holds until its first refit."""

from __future__ import annotations

from torch import Tensor

from networks.texture import smooth_noise

_SEED = 2018


def reference_crop(side_px: int) -> Tensor:
    """A textured crop: 1x3xSxS float32, whole numbers from 0 to 255, the same on every machine."""
    return smooth_noise(side_px, seed=_SEED + side_px)
