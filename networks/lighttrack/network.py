"""LightTrack as a torch module: one network of the search space, with the keys of the published checkpoint.

Source: Yan et al., CVPR 2021; ``researchmm/LightTrack``, whose spelling of the keys is kept.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor, nn

from networks.lighttrack.architecture import STEM_WIDTH, Architecture, Block, Tower
from networks.nanotrack import ChannelGate
from networks.tracker import TrackerNetwork, correlation

_MEAN_RGB = (0.485, 0.456, 0.406)  # of ImageNet, for values from 0 to 1
_STD_RGB = (0.229, 0.224, 0.225)
JOINED_WIDTH = 128  # channels between the correlation and the towers
_SCORE_SCALE = 0.1
_BOX_SCALE_PX = 16.0


class Normalise(nn.Module):
    """BGR from 0 to 255 to the RGB that the backbone was trained on.

    It is a layer of its own, not folded into the next one: that one pads with zeros, which stand for the mean colour.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean, std = torch.tensor(_MEAN_RGB), torch.tensor(_STD_RGB)
        swapped = torch.diag(1 / (255 * std)).flip(1)
        self.register_buffer("weight", swapped[:, :, None, None], persistent=False)
        self.register_buffer("bias", -mean / std, persistent=False)

    def forward(self, crop: Tensor) -> Tensor:
        """Bx3xSxS to the same shape."""
        return F.conv2d(crop, self.weight, self.bias)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from the channels' means, with convolutions as layers."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv2d(width, inner, 1)
        self.conv_expand = nn.Conv2d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to the same shape."""
        inner = F.relu(self.conv_reduce(x.mean((2, 3), keepdim=True)))
        gate: Tensor = F.hardsigmoid(self.conv_expand(inner))
        return x * gate


class FirstBlock(nn.Module):
    """Depthwise, squeeze-excite and 1x1 projection around a shortcut; it expands nothing."""

    shortcut = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.se = SqueezeExcite(width, width // 2)
        self.conv_pw = nn.Conv2d(width, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to the same shape."""
        out: Tensor = self.bn2(self.conv_pw(self.se(F.silu(self.bn1(self.conv_dw(x))))))
        return x + out


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise, squeeze-excite, 1x1 projection, with a shortcut where the shapes agree."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        hidden = block.hidden
        self.shortcut = block.stride == 1 and block.inputs == block.outputs
        self.conv_pw = nn.Conv2d(block.inputs, hidden, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.conv_dw = nn.Conv2d(
            hidden, hidden, block.kernel, block.stride, block.kernel // 2, groups=hidden, bias=False
        )
        self.bn2 = nn.BatchNorm2d(hidden)
        self.se = SqueezeExcite(hidden, block.squeezed)
        self.conv_pwl = nn.Conv2d(hidden, block.outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(block.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to BxC'xH'xW'."""
        out: Tensor = F.silu(self.bn2(self.conv_dw(F.silu(self.bn1(self.conv_pw(x))))))
        out = self.bn3(self.conv_pwl(self.se(out)))
        return x + out if self.shortcut else out


class Backbone(nn.Module):
    """Stem, first block, and the blocks of the architecture up to the one whose output is used."""

    def __init__(self, stages: tuple[tuple[Block, ...], ...]) -> None:
        super().__init__()
        self.conv_stem = nn.Conv2d(3, STEM_WIDTH, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_WIDTH)
        first = nn.Sequential(FirstBlock(STEM_WIDTH))
        self.blocks = nn.Sequential(first, *(nn.Sequential(*map(InvertedResidual, stage)) for stage in stages))

    def forward(self, crop: Tensor) -> Tensor:
        """Bx3xSxS, RGB and normalised, to BxCxS/16xS/16 (S/8 where the second stage is the last)."""
        feature: Tensor = self.blocks(F.silu(self.bn1(self.conv_stem(crop))))
        return feature


class Neck(nn.Module):
    """A norm for the template's features and another for the search region's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.BN_z: nn.Module = nn.BatchNorm2d(channels)
        self.BN_x: nn.Module = nn.BatchNorm2d(channels)


class PixelwiseCorrelation(nn.Module):
    """Compare each cell of the search feature with each of the template's: a 1x1 convolution, and a gate behind it."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.CA_layer = ChannelGate(cells)

    def forward(self, feature: Tensor, kernel: Tensor) -> Tensor:
        """BxCxRxR and one kernel for each sample to BxNxRxR, N template cells."""
        gated: Tensor = self.CA_layer(correlation(feature, kernel))
        return gated


class FeatureFusor(nn.Module):
    """The correlation, then as many channels as the towers take."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.pw_corr = PixelwiseCorrelation(cells)
        self.adj_layer = nn.Conv2d(cells, JOINED_WIDTH, 1)

    def forward(self, feature: Tensor, kernel: Tensor) -> Tensor:
        """BxCxRxR and one kernel for each sample to Bx128xRxR."""
        joined: Tensor = self.adj_layer(self.pw_corr(feature, kernel))
        return joined


class TowerLayer(nn.Module):
    """Depthwise and 1x1 convolution with one norm behind both."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, kernel, 1, kernel // 2, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.BN = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """BxCxRxR to BxC'xRxR."""
        return F.relu(self.BN(self.pointwise(self.conv1(x))))


class Scores(nn.Module):
    """One map of scores, and zeros in place of a map for the background."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cls_pred = nn.Conv2d(width, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """BxCxRxR to Bx2xRxR, background first: the softmax over them is the sigmoid of the published network."""
        score = _SCORE_SCALE * self.cls_pred(x)
        return torch.cat([torch.zeros_like(score), score], 1)

    def folded(self) -> nn.Module:
        """The same as one convolution."""
        both = nn.Conv2d(self.cls_pred.in_channels, 2, 3, 1, 1)
        for wide, narrow in zip(both.parameters(), self.cls_pred.parameters(), strict=True):
            wide.data = _SCORE_SCALE * torch.cat([torch.zeros_like(narrow), narrow]).detach()
        return nn.Sequential(OrderedDict(cls_pred=both))


class Boxes(nn.Module):
    """Distances from each cell to the four sides of the box."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bbox_pred = nn.Conv2d(width, 4, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """BxCxRxR to Bx4xRxR: left, top, right, bottom in pixels of the crop."""
        return _BOX_SCALE_PX * F.relu(self.bbox_pred(x))

    def folded(self) -> nn.Module:
        """The same with the scale in the convolution's weights."""
        for parameter in self.bbox_pred.parameters():
            parameter.data = _BOX_SCALE_PX * parameter.data
        return nn.Sequential(OrderedDict(bbox_pred=self.bbox_pred, relu=nn.ReLU()))


class Head(nn.Module):
    """Two towers on the same map."""

    def __init__(self, cls: Tower, reg: Tower) -> None:
        super().__init__()
        self.cls_tower, self.reg_tower = _tower(cls), _tower(reg)
        self.cls_perd: nn.Module = Scores(cls.width)
        self.reg_pred: nn.Module = Boxes(reg.width)

    def forward(self, joined: Tensor) -> tuple[Tensor, Tensor]:
        """Bx128xRxR to cls Bx2xRxR and loc Bx4xRxR."""
        return self.cls_perd(self.cls_tower(joined)), self.reg_pred(self.reg_tower(joined))


class LightTrack(TrackerNetwork):
    """One network of the search space: kernel ``pw``; loc is the distance to each side, in px.

    Args:
        architecture: which one.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = str(architecture)
        self._channels, self._cells = architecture.channels, architecture.template_cells
        self.normalise: nn.Module = Normalise()
        self.features = Backbone(architecture.blocks)
        self.neck = Neck(self._channels)
        self.feature_fusor = FeatureFusor(self._cells)
        self.head = Head(architecture.cls, architecture.reg)

    def template(self, crop: Tensor) -> dict[str, Tensor]:
        """Turn template crops into ``kernel_pw``: each of the template's cells as a 1x1 kernel, BxNxCx1x1."""
        cells = self.neck.BN_z(self.features(self.normalise(crop))).reshape(-1, self._channels, self._cells)
        return {"kernel_pw": torch.transpose(cells, 1, 2)[:, :, :, None, None]}

    def search(self, crop: Tensor) -> dict[str, Tensor]:
        """Turn search crops into ``feature_pw``: the trunk's last map behind the neck's norm, BxCxRxR."""
        return {"feature_pw": self.neck.BN_x(self.features(self.normalise(crop)))}

    def correlate(self, features: dict[str, Tensor], kernels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Match each cell with the template's, then cls Bx2xRxR and loc Bx4xRxR: px to left, top, right, bottom."""
        joined = self.feature_fusor(features["feature_pw"], kernels["kernel_pw"])
        return self.head(joined)  # type: ignore[no-any-return]

    def fold(self) -> None:
        """Scales into the last convolutions; the normalisation and the neck's norms become convolutions.

        A norm of the neck follows a sum, so no convolution before it can take it in.
        """
        if isinstance(self.head.cls_perd, Scores) and isinstance(self.head.reg_pred, Boxes):
            self.head.cls_perd, self.head.reg_pred = self.head.cls_perd.folded(), self.head.reg_pred.folded()
        if isinstance(self.normalise, Normalise):
            self.normalise = _convolution(self.normalise.weight, self.normalise.bias, groups=1)
        for name, norm in list(self.neck.named_children()):
            if isinstance(norm, nn.BatchNorm2d):
                setattr(self.neck, name, _depthwise(norm))


def _depthwise(norm: nn.BatchNorm2d) -> nn.Conv2d:
    """A norm in evaluation mode as a depthwise 1x1 convolution."""
    assert norm.running_mean is not None  # this norm tracks its statistics
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - scale * norm.running_mean
    return _convolution(scale.detach()[:, None, None, None], shift.detach(), groups=len(scale))


def _convolution(weight: Tensor, bias: Tensor, *, groups: int) -> nn.Conv2d:
    made = nn.Conv2d(weight.shape[1] * groups, weight.shape[0], 1, groups=groups)
    made.weight, made.bias = nn.Parameter(weight), nn.Parameter(bias)
    return made.eval()


def _tower(tower: Tower) -> nn.Sequential:
    inputs = [JOINED_WIDTH] + [tower.width] * (len(tower.kernels) - 1)
    return nn.Sequential(
        *(TowerLayer(width, tower.width, kernel) for width, kernel in zip(inputs, tower.kernels, strict=True))
    )
