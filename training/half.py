"""Weights as they ship: float16, which halves the file and changes no map by more than the export's parity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from siamtrt.files import whole_file


def write_half(state: Mapping[str, Tensor], path: Path) -> None:
    """Write *state* to *path* in float16 where its numbers fit, without the counters of the norms."""
    half = {
        key: _half(value) if value.is_floating_point() else value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }
    with whole_file(path) as temporary:
        torch.save(half, temporary)


def _half(value: Tensor) -> Tensor:
    """*value* in float16, or as it is where that would make an infinity of a number."""
    half = value.half()
    return half if bool(torch.isfinite(half).all()) else value
