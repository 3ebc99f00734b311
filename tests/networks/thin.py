"""A SiamRPN++ of a few thousand weights with the geometry of the real ones."""

from __future__ import annotations

from torch import nn

from networks.siamrpn import SiamRPN
from networks.trunks.staged import StagedTrunk

LEVELS = ("2", "3", "4")


class ThinTrunk(StagedTrunk):
    """Three feature maps of 4, 6 and 8 channels: 15x15 for a crop of 127, 31x31 for 255, as ResNet-50's."""

    levels = 3

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 15, 8), nn.BatchNorm2d(4), nn.ReLU())
        self.wider = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.widest = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())

    def stage(self, level, x):
        return (self.stem, self.wider, self.widest)[level](x)


def thin_siamrpn(*, weighted=True, width=8):
    channels = dict(zip(LEVELS, (4, 6, 8)))
    return SiamRPN(ThinTrunk(), LEVELS, channels, dict.fromkeys(LEVELS, width), 5, weighted=weighted)
