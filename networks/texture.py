"""Pictures without origin, for random weights to settle on and for parity to be measured on."""

from __future__ import annotations

import torch
from torch import Tensor

_OCTAVES = 5
_COARSEST_CELLS = 4
_FADING = 1.5


def smooth_noise(side_px: int, *, count: int = 1, seed: int) -> Tensor:
    """Noise of several scales, the coarser the stronger; the same on every machine.

    Args:
        side_px: of the square crops.
        count: how many.
        seed: the same seed gives the same crops.

    Returns:
        count x 3 x side x side float32, whole numbers from 0 to 255.
    """
    generator = torch.Generator().manual_seed(seed)
    image = torch.zeros(count, 3, side_px, side_px)
    for octave in range(_OCTAVES):
        cells = _COARSEST_CELLS * 2**octave
        grid = torch.rand(count, 3, cells, cells, generator=generator) - 0.5
        smooth = torch.nn.functional.interpolate(grid, size=(side_px, side_px), mode="bicubic", align_corners=False)
        image += smooth / _FADING**octave
    return ((image - image.min()) / (image.max() - image.min()) * 255).round()
