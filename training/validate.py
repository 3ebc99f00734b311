"""How well a network finds held-out objects: one number to choose a checkpoint by."""

from __future__ import annotations

import torch
from torch import Tensor

from networks.tracker import TrackerNetwork
from training.batches import Batch
from training.labels import overlaps


@torch.no_grad()
def validation_overlap(network: TrackerNetwork, batches: list[Batch], grid: Tensor) -> float:
    """Mean intersection over union of the best-scored box with the truth, 0..1.

    Args:
        network: in evaluation mode.
        batches: held-out pairs, all positive.
        grid: the anchors, 4xN.
    """
    total, count = 0.0, 0
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16):
            cls, loc = network(batch.template, batch.search)
        boxes = best_boxes(cls.float(), loc.float(), grid)
        total += float(_paired(boxes, batch.boxes).sum())
        count += len(boxes)
    return total / count


def best_boxes(cls: Tensor, loc: Tensor, grid: Tensor) -> Tensor:
    """The box of the highest score in each example: Bx4, centre and size in crop pixels."""
    batch = len(cls)
    logits = cls.reshape(batch, 2, -1)
    best = (logits[:, 1] - logits[:, 0]).argmax(1)
    offsets = loc.reshape(batch, 4, -1)[torch.arange(batch), :, best]
    anchor = grid[:, best].T
    return torch.cat([offsets[:, :2] * anchor[:, 2:] + anchor[:, :2], offsets[:, 2:].exp() * anchor[:, 2:]], 1)


def _paired(one: Tensor, other: Tensor) -> Tensor:
    return torch.stack([overlaps(a[:, None], b[None])[0, 0] for a, b in zip(one, other, strict=True)])
