"""What an anchor-free head should say at each cell, and how far off it is.

Source: LightTrack, ``researchmm/LightTrack``; the overlap loss is that of Yu et al., UnitBox, ACM MM 2016.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor

from training.losses import Losses

_POSITIVE_PX = 16.0  # a cell is positive if it lies so near to the centre's, along the two axes together


@dataclass(frozen=True)
class PointTargets:
    """Labels and sides of a batch.

    Attributes:
        positive: BxN bool: cells at the centre of the object.
        inside: BxN bool: cells strictly inside its box, whose sides count.
        sides: Bx4xN float32: distance from each cell to the left, top, right and bottom of the box, in pixels.
    """

    positive: Tensor
    inside: Tensor
    sides: Tensor

    def to(self, device: torch.device) -> PointTargets:
        """The same on *device*."""
        return PointTargets(self.positive.to(device), self.inside.to(device), self.sides.to(device))


def assign_points(grid: Tensor, boxes: Tensor, positive: Tensor, stride: int, search_px: int) -> PointTargets:
    """Label the cells of a batch.

    Args:
        grid: 2xN, x and y of each cell in crop pixels.
        boxes: Bx4, centre and size of the object in each search crop.
        positive: B bool; in an example that is not, every cell is background.
        stride: pixels from one cell to the next.
        search_px: side of the crop.
    """
    # cells from the middle of the map; the centre's is found by truncation, as in the published code
    cells = (grid - search_px / 2) / stride
    centers = torch.trunc((boxes[:, :2] - search_px / 2) / stride)
    distance = (cells[None] - centers[:, :, None]).abs().sum(1)
    before, behind = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    sides = torch.cat([grid[None] - before[:, :, None], behind[:, :, None] - grid[None]], 1)
    shown = positive[:, None]
    return PointTargets((distance <= _POSITIVE_PX / stride) & shown, (sides.amin(1) > 0) & shown, sides)


def point_losses(cls: Tensor, loc: Tensor, targets: PointTargets, loc_weight: float) -> Losses:
    """Compare a head's maps with what they should say.

    Args:
        cls: Bx2xRxR, background first.
        loc: Bx4xRxR, distances to the four sides in pixels.
        targets: of the same batch.
        loc_weight: of the overlap loss.
    """
    logits = cls.float().flatten(2)
    score = logits[:, 1] - logits[:, 0]
    entropy = F.binary_cross_entropy_with_logits(score, targets.positive.float(), reduction="none")
    cls_loss = 0.5 * (_mean(entropy, targets.positive) + _mean(entropy, ~targets.positive))
    loc_loss = _mean(overlap_loss(loc.float().flatten(2), targets.sides), targets.inside)
    return Losses(cls_loss, loc_loss, cls_loss + loc_weight * loc_loss)


def overlap_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """``-ln((I + 1) / (U + 1))`` of boxes around the same point, each the distances to its sides.

    Args:
        found: Bx4xN, pixels, none negative.
        wanted: Bx4xN; negative where the point lies outside the box, and the loss then means nothing.

    Returns:
        BxN.
    """
    wanted = wanted.clamp(min=0)
    smaller = torch.minimum(found, wanted)
    shared, own, other = (_area(sides) for sides in (smaller, found, wanted))
    return torch.log(own + other - shared + 1) - torch.log(shared + 1)


def _area(sides: Tensor) -> Tensor:
    return (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean over *chosen*; zero, with a gradient, where nothing is."""
    return torch.where(chosen, values, 0.0).sum() / chosen.sum().clamp(min=1)
