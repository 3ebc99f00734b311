"""What a tracker says of a pair, and how far another network's answer is from it.

The tracker chooses a cell by its score and reads the box there, so the distance is a divergence of scores over all
cells plus the error of the boxes where the object is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor


@dataclass(frozen=True)
class Response:
    """The maps of B pairs, a row a pair.

    Attributes:
        margin: BxN, the logit of the object minus that of the background, of each anchor or point.
        offsets: Bx4xN, what the box of each is computed from; logarithms of the distances for the family ``ban``.
    """

    margin: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, cls_map: Tensor, loc_map: Tensor, family: str) -> Response:
        """Read the maps ``cls`` (Bx2AxRxR) and ``loc`` (Bx4AxRxR) of a network of *family*."""
        logits, offsets = cls_map.float().flatten(1), loc_map.float().flatten(1)
        logits, offsets = logits.reshape(len(logits), 2, -1), offsets.reshape(len(offsets), 4, -1)
        if family == "ban":
            offsets = offsets.clamp(min=torch.finfo(torch.float32).tiny).log()
        return cls(logits[:, 1] - logits[:, 0], offsets)

    def object_weights(self) -> Tensor:
        """The share of each cell in the object, BxN: its probability over the sum of them all."""
        foreground = self.margin.sigmoid()
        return foreground / foreground.sum(1, keepdim=True)


def score_divergence(whole: Response, other: Response) -> Tensor:
    """Kullback-Leibler divergence of the scores of *other* from those of *whole*, mean over cells: B values."""
    probability = whole.margin.sigmoid()
    agreed = F.logsigmoid(whole.margin) - F.logsigmoid(other.margin)
    denied = F.logsigmoid(-whole.margin) - F.logsigmoid(-other.margin)
    return (probability * agreed + (1 - probability) * denied).mean(1)


def box_error(whole: Response, other: Response) -> Tensor:
    """Squared distance of the offsets, weighted by where *whole* sees the object: B values."""
    return (whole.object_weights() * (other.offsets - whole.offsets).square().sum(1)).sum(1)


def divergence(whole: Response, other: Response) -> Tensor:
    """How far *other* is from *whole*: both parts together, B values."""
    return score_divergence(whole, other) + box_error(whole, other)


def curvature_roots(whole: Response) -> tuple[Tensor, Tensor]:
    """The square root of the diagonal second derivative of :func:`divergence` at *whole*: of margins and of offsets."""
    probability = whole.margin.sigmoid()
    of_margin = (probability * (1 - probability) / probability.shape[1]).sqrt()
    return of_margin, (2 * whole.object_weights()).sqrt()[:, None]
