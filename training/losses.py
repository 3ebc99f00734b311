"""How far the heads are off: cross-entropy on the sampled anchors, absolute offsets on the positive ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor

from training.labels import NEGATIVE, POSITIVE, Targets


@dataclass(frozen=True)
class Losses:
    """Scalars with gradients: classification, box, and their weighted sum."""

    cls: Tensor
    loc: Tensor
    total: Tensor


def losses(cls: Tensor, loc: Tensor, targets: Targets, loc_weight: float) -> Losses:
    """Compare the heads' maps with what they should say.

    Args:
        cls: Bx2AxRxR, background channels first.
        loc: Bx4AxRxR, all dx, then dy, dw, dh.
        targets: of the same batch.
        loc_weight: of the box loss.

    Source: PySOT: the two classes count one half each, whatever their numbers.
    """
    batch = len(cls)
    logits = cls.float().reshape(batch, 2, -1)
    nll = F.cross_entropy(logits, targets.labels.clamp(min=0), reduction="none")
    positive, negative = targets.labels == POSITIVE, targets.labels == NEGATIVE
    cls_loss = 0.5 * (_mean(nll, positive) + _mean(nll, negative))
    distance = (loc.float().reshape(batch, 4, -1) - targets.offsets).abs().sum(1)
    loc_loss = _mean(distance, positive)
    return Losses(cls_loss, loc_loss, cls_loss + loc_weight * loc_loss)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean over *chosen*; zero, with a gradient, where nothing is."""
    return torch.where(chosen, values, 0.0).sum() / chosen.sum().clamp(min=1)
