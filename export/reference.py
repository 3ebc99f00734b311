"""The image that parity is measured on and whose kernels the xcorr graph holds until its first refit."""

from __future__ import annotations

import torch
from torch import Tensor

_SEED = 2018


def reference_crop(side_px: int) -> Tensor:
    """A textured crop without origin: smooth noise of several scales, the same on every machine.

    Returns:
        1x3xSxS float32, whole numbers from 0 to 255.
    """
    generator = torch.Generator().manual_seed(_SEED + side_px)
    image = torch.zeros(1, 3, side_px, side_px)
    for octave in range(5):
        cells = 4 * 2**octave
        grid = torch.rand(1, 3, cells, cells, generator=generator) - 0.5
        smooth = torch.nn.functional.interpolate(grid, size=(side_px, side_px), mode="bicubic", align_corners=False)
        image += smooth / 1.5**octave
    return ((image - image.min()) / (image.max() - image.min()) * 255).round()
