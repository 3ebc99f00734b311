"""A SiamRPN++ of a few thousand weights with the geometry of the real ones."""

from __future__ import annotations

from torch import nn

from networks.genotype import PUBLISHED, Genotype
from networks.models import ModelSpec
from networks.siamrpn import SiamRPN
from networks.siamrpn_cell import SiamRPNCell, genotype_of
from networks.trunks.staged import StagedTrunk
from siamtrt.card import TrackerConstants

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


def thin_cell(cell, state=None):
    return SiamRPNCell(ThinTrunk(), {1: 6, 2: 8}, cell, 8, 5, 7)


def thin_cell_spec():
    """A model around a cell, the published one of 8 channels where a checkpoint names none."""
    return ModelSpec(
        build=lambda state: thin_cell(genotype_of(state) or Genotype(PUBLISHED.nodes, 8)),
        around=thin_cell,
        tracker=TrackerConstants(0.05, 0.42, 0.38, source="test"),
    )
