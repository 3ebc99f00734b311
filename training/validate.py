"""Run pairs through a network, and say by one number how well it finds held-out objects."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from siamtrt.geometry import proposals
from training.batches import Batch
from training.labels import overlaps


def maps(network: nn.Module, batch: Batch, device: torch.device, *, half: bool = True) -> tuple[Tensor, Tensor]:
    """The maps ``cls`` and ``loc`` of a batch, computed on *device*; if *half*, in bfloat16 where that is safe."""
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        cls, loc = network(batch.template.to(device), batch.search.to(device))
    return cls, loc


def validation_overlap(network: nn.Module, batches: list[Batch], grid: Tensor, device: torch.device) -> float:
    """Mean intersection over union of the best-scored box with the truth, 0..1.

    Args:
        network: in evaluation mode, on *device*.
        batches: held-out pairs, all positive.
        grid: the anchors, 4xN.
        device: what the maps are computed on.
    """
    total, count = 0.0, 0
    for batch in batches:
        cls, loc = maps(network, batch, device)
        total += float(pair_overlaps(cls, loc, batch, grid).sum())
        count += len(batch.boxes)
    return total / count


def pair_overlaps(cls: Tensor, loc: Tensor, batch: Batch, grid: Tensor) -> Tensor:
    """Intersection over union of the best-scored box with the truth, for each pair of *batch*: B values, 0..1."""
    return _paired(best_boxes(cls.float().cpu(), loc.float().cpu(), grid), batch.boxes)


def best_boxes(cls: Tensor, loc: Tensor, grid: Tensor) -> Tensor:
    """The box of the highest score in each example: Bx4, centre and size in crop pixels."""
    batch = len(cls)
    logits = cls.reshape(batch, 2, -1)
    best = (logits[:, 1] - logits[:, 0]).argmax(1)
    offsets = loc.reshape(batch, 4, -1)[torch.arange(batch), :, best]
    return torch.from_numpy(np.stack(proposals(offsets.T.numpy(), grid[:, best].numpy()), axis=1))


def _paired(one: Tensor, other: Tensor) -> Tensor:
    return torch.stack([overlaps(a[:, None], b[None])[0, 0] for a, b in zip(one, other, strict=True)])
