"""What an exit says of its own answer: numbers read off its map, a linear gate, and a small network.

Sources: the twelve numbers and the gate are those of Ying and Fragkiadaki (EMMCVPR 2017), with the gaps of the paper
filled: the entropy is relative to that of a flat map, the moments are raw, a peak is a value of the map. A learned
overlap as the condition to stop is the idea of DyTrack (Zhu et al., 2024); its form here is ours.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

PEAK, GATE, OVERLAP, KEEP = "peak", "gate", "iou", "keep"
MAP_FEATURES, PEAKS_AT = 12, 2  # how many numbers are read off a map, and the place of the largest value
_PEAKS, _MOMENTS = 5, 5
_HIDDEN = 32
_TINY = 1e-12


def margins(cls: Tensor) -> Tensor:
    """Foreground minus background logit of the best anchor of each cell: Bx2AxRxR to BxN, N = R R."""
    anchors = int(cls.shape[1]) // 2
    return (cls[:, anchors:] - cls[:, :anchors]).amax(1).flatten(1)


def map_features(probability: Tensor) -> Tensor:
    """Kurtosis, entropy, the five largest values in falling order, and the first five raw moments of each map.

    Args:
        probability: BxN, 0..1.

    Returns:
        Bx12. The entropy is that of the map as a distribution over its cells, relative to a flat one: 0..1.
    """
    cells = probability.shape[1]
    mean = probability.mean(1, keepdim=True)
    square = (probability - mean) ** 2
    variance = square.mean(1, keepdim=True)
    kurtosis = (square * square).mean(1, keepdim=True) / (variance * variance + _TINY)
    shares = probability / (mean * cells).clamp(min=_TINY)
    entropy = (shares * shares.clamp(min=_TINY).log()).sum(1, keepdim=True) / -math.log(cells)
    peaks = probability.topk(_PEAKS, 1).values
    moments, power = [mean], probability
    for _ in range(_MOMENTS - 1):
        power = power * probability
        moments.append(power.mean(1, keepdim=True))
    return torch.cat([kurtosis, entropy, peaks, *moments], 1)


def pooled(margin: Tensor, hidden: Tensor) -> Tensor:
    """The mean of BxCxRxR features over the cells, weighted by the softmax of the margins (BxN): BxC.

    Soft, so that it has a gradient and needs no gather at the best cell.
    """
    cells = hidden.reshape(-1, int(hidden.shape[1]), int(margin.shape[1]))
    return (cells @ margin.softmax(1).unsqueeze(2)).flatten(1)


class _Standardised(nn.Module):
    """A linear layer on features relative to the mean and the deviation they had in training."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.folded = False

    @torch.no_grad()
    def measure(self, rows: Tensor) -> None:
        """Take mean and deviation of *rows* (NxF); a feature that never varies is left unscaled."""
        deviation = rows.std(0)
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(torch.where(deviation > _TINY, deviation, torch.ones_like(deviation)))

    def standardised(self, features: Tensor) -> Tensor:
        """*features* as the first layer takes them."""
        return features if self.folded else (features - self.mean) / self.deviation

    @torch.no_grad()
    def fold(self) -> None:
        """Let the first layer's weights do what standardising does, in place, for export; exact up to rounding."""
        first = self.first
        first.weight.div_(self.deviation)
        first.bias.sub_(first.weight @ self.mean)
        self.folded = True

    @property
    def first(self) -> nn.Linear:
        """The layer that takes the features."""
        raise NotImplementedError


class Gate(_Standardised):
    """The gate of an exit: one linear function of the twelve numbers of its map."""

    def __init__(self) -> None:
        super().__init__(MAP_FEATURES)
        self.linear = nn.Linear(MAP_FEATURES, 1)

    @property
    def first(self) -> nn.Linear:
        return self.linear

    def logits(self, features: Tensor) -> Tensor:
        """Bx12 to Bx1."""
        out: Tensor = self.linear(self.standardised(features))
        return out


class Quality(_Standardised):
    """How well the exit's box covers the target, and whether the last exit would do no better.

    Args:
        hidden: width of the features of both heads together.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__(MAP_FEATURES + hidden)
        self.inner = nn.Linear(MAP_FEATURES + hidden, _HIDDEN)
        self.outer = nn.Linear(_HIDDEN, 2)

    @property
    def first(self) -> nn.Linear:
        return self.inner

    def logits(self, features: Tensor) -> Tensor:
        """Bx(12 + hidden) to Bx2: overlap, then keep."""
        out: Tensor = self.outer(self.inner(self.standardised(features)).relu())
        return out
