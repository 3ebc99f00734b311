"""SiamRPN with one level whose feature a cell makes of two depths of the trunk; template and search share the cell.

Source: Marvasti-Zadeh et al., CHASE, arXiv 2107.03463, who put such a cell before PrDiMP's classifier.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from networks.cell import Cell, SearchCell
from networks.genotype import Genotype, parse
from networks.siamrpn import AdjustLayer, SiamRPN
from siamtrt import ArtifactError, UsageError

_LEVEL = ""
_STORED, _FIRST_INPUT = "neck.cell.architecture", "neck.inputs.0.0.weight"


class CellNeck(nn.Module):
    """Both features to the cell's width, the cell, a 1x1 projection; then the template is cut to its middle.

    Args:
        inputs: channels of the two features.
        channels: of the maps inside the cell.
        cell: maps two features to one.
        width: of the cell's output.
        hidden: channels of the output.
        template_cells: side of the middle of a template's feature.
    """

    def __init__(
        self, inputs: tuple[int, int], channels: int, cell: nn.Module, width: int, hidden: int, template_cells: int
    ) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(count, channels, 1, bias=False), nn.BatchNorm2d(channels)) for count in inputs
        )
        self.cell = cell
        self.adjust = AdjustLayer(width, hidden, template_cells)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two features of one size to BxCxHxW, or to the middle of it where they are a template's."""
        adjusted: Tensor = self.adjust(self.cell(self.inputs[0](first), self.inputs[1](second)))
        return adjusted


class SiamRPNCell(SiamRPN):
    """A SiamRPN of one level, whose feature a cell makes of two depths of the trunk.

    Args:
        backbone: maps a crop to several features.
        used: which two of them, and how many channels each has.
        cell: a genotype, or the mixture that a search is about.
        hidden: channels that are correlated.
        anchors: boxes a cell of the map proposes.
        template_cells: side of the kernel before the head's convolution.
    """

    def __init__(
        self,
        backbone: nn.Module,
        used: Mapping[int, int],
        cell: Genotype | SearchCell,
        hidden: int,
        anchors: int,
        template_cells: int,
    ) -> None:
        super().__init__(backbone, (_LEVEL,), {_LEVEL: hidden}, None, anchors, weighted=False)
        self._used = tuple(used)
        first, second = used.values()
        made = Cell(cell) if isinstance(cell, Genotype) else cell
        self.neck = CellNeck((first, second), cell.channels, made, made.width, hidden, template_cells)
        if isinstance(cell, Genotype):
            self.architecture = str(cell)

    def level_features(self, crop: Tensor) -> list[Tensor]:
        """See :meth:`SiamRPN.level_features`."""
        return [self.neck(*self.depths(crop))]

    def depths(self, crop: Tensor) -> tuple[Tensor, Tensor]:
        """The two features of the trunk that enter the cell."""
        features = self.backbone(crop)
        first, second = (features[number] for number in self._used)
        return first, second


class BehindTrunk(nn.Module):
    """All of a network but its trunk, for training that leaves the trunk as it is; the keys begin with ``network.``."""

    def __init__(self, network: SiamRPNCell) -> None:
        super().__init__()
        self.network = network

    def forward(self, template: tuple[Tensor, Tensor], search: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The maps of what :meth:`SiamRPNCell.depths` gives of a template and of a search crop."""
        network = self.network
        kernels, features = (network.neck(*depths) for depths in (template, search))
        return network.correlate(network.features([features]), network.kernels([kernels]))


def genotype_of(state: Mapping[str, Tensor]) -> Genotype | None:
    """The cell that a checkpoint says it has; None where it says nothing.

    Raises:
        ArtifactError: it is no cell, or one of another width than the weights.
    """
    stored = state.get(_STORED)
    if stored is None:
        return None
    try:
        genotype = parse(bytes(int(value) for value in stored.flatten().tolist()).decode())
    except (UsageError, ValueError) as error:
        raise ArtifactError(f"the checkpoint's {_STORED} is no cell: {error}") from error
    weight = state.get(_FIRST_INPUT)
    if weight is not None and weight.shape[0] != genotype.channels:
        raise ArtifactError(
            f"the checkpoint calls its cell {genotype}, but {_FIRST_INPUT} has {weight.shape[0]} channels"
        )
    return genotype
