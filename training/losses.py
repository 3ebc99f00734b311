"""How far the heads are off: cross-entropy on the sampled anchors, offsets and overlap on the positive ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor

from training.labels import NEGATIVE, POSITIVE, Targets

_MOST_GROWTH = 4.0  # of a side's logarithm: e^4 anchors, far beyond any crop, where an exponential still is a number


@dataclass(frozen=True)
class Losses:
    """Scalars with gradients: classification, box, and their weighted sum."""

    cls: Tensor
    loc: Tensor
    total: Tensor


def losses(cls: Tensor, loc: Tensor, targets: Targets, loc_weight: float, overlap_weight: float = 0.0) -> Losses:
    """Compare the heads' maps with what they should say.

    Args:
        cls: Bx2AxRxR, background channels first.
        loc: Bx4AxRxR, all dx, then dy, dw, dh.
        targets: of the same batch.
        loc_weight: of the box loss: the sum of the four offsets' absolute errors, the one of PySOT.
        overlap_weight: of what the boxes lack of a whole overlap, inside the box loss.

    Source: PySOT: the two classes count one half each, whatever their numbers.
    """
    batch = len(cls)
    logits = cls.float().reshape(batch, 2, -1)
    nll = F.cross_entropy(logits, targets.labels.clamp(min=0), reduction="none")
    positive, negative = targets.labels == POSITIVE, targets.labels == NEGATIVE
    cls_loss = 0.5 * (_mean(nll, positive) + _mean(nll, negative))
    offsets = loc.float().reshape(batch, 4, -1)
    distance = (offsets - targets.offsets).abs().sum(1)
    if overlap_weight:
        distance = distance + overlap_weight * (1 - overlaps_of_offsets(offsets, targets.offsets))
    loc_loss = _mean(distance, positive)
    return Losses(cls_loss, loc_loss, cls_loss + loc_weight * loc_loss)


def overlaps_of_offsets(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of the boxes that two Bx4xN offsets make of the same anchors: BxN, 0..1.

    The anchors themselves do not matter: stretching both boxes along an axis leaves their overlap as it is.
    Source: Yu et al., UnitBox, ACM MM 2016 (overlap as a loss).
    """
    sizes = [offsets[:, 2:].clamp(max=_MOST_GROWTH).exp() for offsets in (one, other)]
    low = torch.maximum(one[:, :2] - sizes[0] / 2, other[:, :2] - sizes[1] / 2)
    high = torch.minimum(one[:, :2] + sizes[0] / 2, other[:, :2] + sizes[1] / 2)
    shared = (high - low).clamp(min=0).prod(1)
    return shared / (sizes[0].prod(1) + sizes[1].prod(1) - shared)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean over *chosen*; zero, with a gradient, where nothing is."""
    return torch.where(chosen, values, 0.0).sum() / chosen.sum().clamp(min=1)
