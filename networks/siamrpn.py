"""SiamRPN++: a neck, a depthwise region proposal head at several depths, and the fusion of their maps.

Source: Li et al., CVPR 2019; keys as in PySOT's checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from networks.tracker import TrackerNetwork, correlation, depthwise_kernel

_TEMPLATE_WIDTH_BELOW = 20  # a feature map narrower than this comes from the template crop
_TEMPLATE_CELLS = 7


class AdjustLayer(nn.Module):
    """A 1x1 projection; the template's feature is then cut to its middle cells, 7x7 in PySOT's models."""

    def __init__(self, inputs: int, outputs: int, template_cells: int = _TEMPLATE_CELLS) -> None:
        super().__init__()
        self._cells = template_cells
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, feature: Tensor) -> Tensor:
        """Project BxCxHxW; H <= 19 marks a template."""
        projected: Tensor = self.downsample(feature)
        width = projected.shape[3]
        if width >= _TEMPLATE_WIDTH_BELOW:
            return projected
        start = (width - self._cells) // 2
        middle = slice(start, start + self._cells)
        return projected[:, :, middle, middle]


class DepthwiseXCorr(nn.Module):
    """One branch of one level: prepare kernel and search feature, correlate a channel at a time, predict."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.conv_kernel = _conv_bn_relu(inputs, hidden, 3)
        self.conv_search = _conv_bn_relu(inputs, hidden, 3)
        self.head = nn.Sequential(*_conv_bn_relu(hidden, hidden, 1), nn.Conv2d(hidden, outputs, 1))

    @property
    def width(self) -> int:
        """Channels of what :meth:`hidden` returns."""
        return next(self.head[3].parameters()).shape[1]

    @property
    def outputs(self) -> int:
        """Channels of the map."""
        return next(self.head[3].parameters()).shape[0]

    def hidden(self, feature: Tensor, kernel: Tensor) -> Tensor:
        """Correlate a prepared feature with a prepared kernel and apply the head but for its last convolution."""
        values: Tensor = self.head[:3](correlation(feature, kernel))
        return values

    def map(self, hidden: Tensor) -> Tensor:
        """Apply the last convolution of the head."""
        prediction: Tensor = self.head[3](hidden)
        return prediction


class DepthwiseRPN(nn.Module):
    """The classification and the regression branch of one level."""

    def __init__(self, inputs: int, hidden: int, anchors: int) -> None:
        super().__init__()
        self.cls = DepthwiseXCorr(inputs, hidden, 2 * anchors)
        self.loc = DepthwiseXCorr(inputs, hidden, 4 * anchors)


class MultiRPN(nn.Module):
    """A head for each level and, where the checkpoint has them, the learned weights of their fusion."""

    def __init__(self, widths: dict[str, int], hidden: dict[str, int], anchors: int, *, weighted: bool) -> None:
        super().__init__()
        for level, width in widths.items():
            self.add_module(f"rpn{level}", DepthwiseRPN(width, hidden[level], anchors))
        if weighted:
            self.cls_weight = nn.Parameter(torch.ones(len(widths)))
            self.loc_weight = nn.Parameter(torch.ones(len(widths)))


class SiamRPN(TrackerNetwork):
    """SiamRPN++ on any trunk.

    Args:
        backbone: maps a crop to one feature map for each level, in the levels' order.
        levels: names of the levels, e.g. ``("2", "3", "4")``; ``("",)`` for a single head without level in its keys.
        channels: of the trunk's feature maps, level -> width.
        neck: of the adjusted feature maps, level -> width; None for a trunk without neck.
        anchors: boxes a cell proposes.
        weighted: learned fusion; the plain mean of the levels otherwise.
        hidden: of the correlated features, level -> width; as wide as the neck when None.
        template_cells: side of the middle of the template's feature that becomes the kernel.
    """

    def __init__(
        self,
        backbone: nn.Module,
        levels: tuple[str, ...],
        channels: dict[str, int],
        neck: dict[str, int] | None,
        anchors: int,
        *,
        weighted: bool,
        hidden: dict[str, int] | None = None,
        template_cells: int = _TEMPLATE_CELLS,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.backbone = backbone
        self.has_neck = neck is not None
        self.folded = False
        widths = channels if neck is None else neck
        if neck is not None:
            self.neck = nn.Module()
            for level in levels:
                self.neck.add_module(f"downsample{level}", AdjustLayer(channels[level], neck[level], template_cells))
        if levels == ("",):
            self.rpn_head: nn.Module = DepthwiseRPN(widths[""], (hidden or widths)[""], anchors)
        else:
            self.rpn_head = MultiRPN(widths, hidden or widths, anchors, weighted=weighted)

    def template(self, crop: Tensor) -> dict[str, Tensor]:
        """See :meth:`TrackerNetwork.template`."""
        return self.kernels(self.level_features(crop))

    def search(self, crop: Tensor) -> dict[str, Tensor]:
        """See :meth:`TrackerNetwork.search`."""
        return self.features(self.level_features(crop))

    def kernels(self, adjusted: list[Tensor]) -> dict[str, Tensor]:
        """What :meth:`template` returns, of each level's feature."""
        branches = self._branches(adjusted)
        return {f"kernel_{name}": depthwise_kernel(branch.conv_kernel(feature)) for name, branch, feature in branches}

    def features(self, adjusted: list[Tensor]) -> dict[str, Tensor]:
        """What :meth:`search` returns, of each level's feature."""
        return {f"feature_{name}": branch.conv_search(feature) for name, branch, feature in self._branches(adjusted)}

    def correlate(self, features: dict[str, Tensor], kernels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """See :meth:`TrackerNetwork.correlate`."""
        maps = {
            kind: [self.head(level, kind).map(self.hidden(level, kind, features, kernels)) for level in self.levels]
            for kind in ("cls", "loc")
        }
        cls, loc = (weighted_sum(maps[kind], self.fusion(kind)) for kind in ("cls", "loc"))
        return cls, loc

    def level_features(self, crop: Tensor) -> list[Tensor]:
        """The feature map of each level as the heads take it."""
        levels = zip(self.levels, self.backbone(crop), strict=True)
        return [self.adjusted(level, feature) for level, feature in levels]

    def fusion(self, kind: str) -> Tensor | None:
        """The share of each level in the fused map (they sum to one), or None once the heads carry it themselves."""
        if self.folded or len(self.levels) == 1:
            return None
        weight = getattr(self.rpn_head, f"{kind}_weight", None)
        if weight is None:
            return torch.full((len(self.levels),), 1 / len(self.levels))
        return torch.softmax(weight, 0)

    @torch.no_grad()
    def fold(self) -> None:
        """Scale the last convolution of each head by its level's share; exact, since both are linear."""
        for kind in ("cls", "loc"):
            shares = self.fusion(kind)
            if shares is None:
                continue
            for level, share in zip(self.levels, shares, strict=True):
                for parameter in self.head(level, kind).head[3].parameters():
                    parameter.mul_(share)
        self.folded = True

    def hidden(self, level: str, kind: str, features: dict[str, Tensor], kernels: dict[str, Tensor]) -> Tensor:
        """What the last convolution of a level's head sees: BxHxRxR."""
        name = f"{kind}{level}"
        return self.head(level, kind).hidden(features[f"feature_{name}"], kernels[f"kernel_{name}"])

    def head(self, level: str, kind: str) -> DepthwiseXCorr:
        """The branch ``cls`` or ``loc`` of a level."""
        levelled = getattr(self.rpn_head, f"rpn{level}") if level else self.rpn_head
        branch: DepthwiseXCorr = getattr(levelled, kind)
        return branch

    def _branches(self, adjusted: list[Tensor]) -> list[tuple[str, DepthwiseXCorr, Tensor]]:
        return [
            (f"{kind}{level}", self.head(level, kind), feature)
            for level, feature in zip(self.levels, adjusted, strict=True)
            for kind in ("cls", "loc")
        ]

    def adjusted(self, level: str, feature: Tensor) -> Tensor:
        """The trunk's feature map of a level, behind the neck where there is one."""
        return getattr(self.neck, f"downsample{level}")(feature) if self.has_neck else feature


def _conv_bn_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def weighted_sum(maps: list[Tensor], shares: Tensor | None) -> Tensor:
    """The sum of the levels' maps, each with its share; the plain sum without shares."""
    weighted = maps if shares is None else [share * level for share, level in zip(shares, maps, strict=True)]
    total = weighted[0]
    for level in weighted[1:]:
        total = total + level
    return total
