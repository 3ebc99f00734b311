"""The trunk of NanoTrackV3 for SiamRPN++: features of three depths, all at stride 8."""

from __future__ import annotations

from torch import Tensor

from networks.nanotrack import mobilenet_blocks
from networks.trunks.staged import StagedTrunk

CHANNELS = (40, 48, 96)
TEMPLATE_CELLS = 8  # of 16, so that the map has the 25x25 cells of the other models
_USED_BLOCKS = (6, 8, 9)


class NanoTrunk(StagedTrunk):
    """Features after blocks 6, 8 and 9: 40, 48 and 96 channels, 32x32 for a crop of 255, 16x16 for one of 127.

    The keys are those of NanoTrackV3's trunk, whose published weights fit as they are.
    """

    levels = len(_USED_BLOCKS)

    def __init__(self) -> None:
        super().__init__()
        self.features = mobilenet_blocks(largest_stride=8)

    def stage(self, level: int, x: Tensor) -> Tensor:
        """See :meth:`StagedTrunk.stage`."""
        first = _USED_BLOCKS[level - 1] + 1 if level else 0
        for block in list(self.features)[first : _USED_BLOCKS[level] + 1]:
            x = block(x)
        return x
