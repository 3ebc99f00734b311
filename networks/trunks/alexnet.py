"""AlexNet without padding, one feature map of 256 channels. Source: PySOT's ``alexnetlegacy``."""

from __future__ import annotations

from torch import Tensor, nn


class AlexNet(nn.Module):
    """The last feature map: 256x26x26 for a crop of 287, 256x6x6 for one of 127."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, 2),
            nn.BatchNorm2d(96),
            nn.MaxPool2d(3, 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(96, 256, 5),
            nn.BatchNorm2d(256),
            nn.MaxPool2d(3, 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 384, 3),
            nn.BatchNorm2d(384),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, 3),
            nn.BatchNorm2d(384),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3),
            nn.BatchNorm2d(256),
        )

    def forward(self, crop: Tensor) -> list[Tensor]:
        """Bx3xSxS to a list of the one feature map."""
        return [self.features(crop)]
