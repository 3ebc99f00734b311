"""A trunk that can be run level by level, so that a tracker may stop between two levels."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class StagedTrunk(nn.Module, ABC):
    """A chain of layers with a feature map after each of its levels.

    Attributes:
        levels: how many feature maps it puts out.
    """

    levels: int

    @abstractmethod
    def stage(self, level: int, x: Tensor) -> Tensor:
        """The feature map of *level*, 0 being the first, from that of the level before it; the first takes the crop."""

    def forward(self, crop: Tensor) -> list[Tensor]:
        """Bx3xSxS to the feature maps of all levels."""
        x, features = crop, []
        for level in range(self.levels):
            x = self.stage(level, x)
            features.append(x)
        return features
