"""What the heads should say: labels and offsets for each anchor.

Source: Li et al., CVPR 2018, sec. 4.1: positive above an overlap of 0.6, negative below 0.3, at most 16
positives of 64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

POSITIVE_IOU, NEGATIVE_IOU = 0.6, 0.3
POSITIVES, TOTAL = 16, 64
POSITIVE, NEGATIVE, IGNORED = 1, 0, -1
_NEAR_BEST = 5 / 6


@dataclass(frozen=True)
class Targets:
    """Labels and offsets of a batch.

    Attributes:
        labels: BxN int64: POSITIVE, NEGATIVE or IGNORED, sampled to at most 64 an example.
        offsets: Bx4xN float32: dx, dy, dw, dh of the object relative to each anchor.
        background: BxN bool: the anchors that may be negative.
    """

    labels: Tensor
    offsets: Tensor
    background: Tensor

    def to(self, device: torch.device) -> Targets:
        """The same on *device*."""
        return Targets(self.labels.to(device), self.offsets.to(device), self.background.to(device))


def overlaps(grid: Tensor, boxes: Tensor) -> Tensor:
    """Intersection over union of each anchor (4xN) with each box (Bx4), both centre and size: BxN."""
    left, top = grid[0] - grid[2] / 2, grid[1] - grid[3] / 2
    right, bottom = grid[0] + grid[2] / 2, grid[1] + grid[3] / 2
    cx, cy, width, height = (boxes[:, index, None] for index in range(4))
    across = torch.minimum(right, cx + width / 2) - torch.maximum(left, cx - width / 2)
    down = torch.minimum(bottom, cy + height / 2) - torch.maximum(top, cy - height / 2)
    shared = across.clamp(min=0) * down.clamp(min=0)
    return shared / (grid[2] * grid[3] + width * height - shared)


def assign(
    grid: Tensor, boxes: Tensor, positive: Tensor, generator: torch.Generator, least_overlap: float = POSITIVE_IOU
) -> Targets:
    """Label the anchors of a batch.

    Args:
        grid: anchors as centre and size in crop pixels, 4xN, anchor-major as the heads' channels are.
        boxes: Bx4, centre and size of the object in each search crop.
        positive: B bool; in an example that is not, anchors on the object are the negatives that matter.
        generator: of the sampling.
        least_overlap: the lowest overlap that may be positive where no anchor fits the object better.
    """
    iou = overlaps(grid, boxes)
    floor = (_NEAR_BEST * iou.amax(1, keepdim=True)).clamp(min(least_overlap, POSITIVE_IOU), POSITIVE_IOU)
    on_object = iou > floor
    labels = torch.full_like(iou, IGNORED, dtype=torch.int64)
    for index in range(len(boxes)):
        chosen = _some(on_object[index], POSITIVES, generator)
        labels[index, chosen] = POSITIVE if positive[index] else NEGATIVE
        background = _some(iou[index] < NEGATIVE_IOU, TOTAL - POSITIVES, generator)
        labels[index, background] = NEGATIVE
    center = (boxes[:, :2, None] - grid[None, :2]) / grid[None, 2:]
    size = torch.log(boxes[:, 2:, None] / grid[None, 2:])
    return Targets(labels, torch.cat([center, size], 1), iou < NEGATIVE_IOU)


def with_hard_negatives(targets: Targets, cls: Tensor, count: int) -> Targets:
    """Add the *count* background anchors of each example that the network takes most for the object.

    Args:
        targets: of the batch.
        cls: Bx2AxRxR, background channels first.
        count: per example; as many random ones are there already.
    """
    logits = cls.detach().float().reshape(len(cls), 2, -1)
    margin = (logits[:, 1] - logits[:, 0]).masked_fill(~targets.background, -torch.inf)
    hardest = margin.topk(count, 1).indices
    labels = targets.labels.scatter(1, hardest, NEGATIVE)
    return replace(targets, labels=torch.where(targets.background, labels, targets.labels))


def only_where(targets: Targets, known: Tensor) -> Targets:
    """Leave the examples out whose object is not known (B bool)."""
    return replace(
        targets,
        labels=torch.where(known[:, None], targets.labels, IGNORED),
        background=targets.background & known[:, None],
    )


def _some(candidates: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Indices of at most *count* of the true entries, drawn without replacement."""
    indices = candidates.nonzero()[:, 0]
    return indices[torch.randperm(len(indices), generator=generator)[:count]]
