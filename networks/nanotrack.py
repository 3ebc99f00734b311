"""NanoTrackV3: a MobileNetV3-small trunk and an anchor-free head on two kinds of correlation.

Topology and keys as in the published checkpoint and ONNX files (HonglinChu/SiamTrackers). Source of the trunk: Howard
et al., ICCV 2019.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor, nn

from networks.siamrpn import AdjustLayer
from networks.tracker import TrackerNetwork, correlation, depthwise_kernel

_WIDTH = 96
_TEMPLATE_CELLS = 8
_PIXELS = _TEMPLATE_CELLS**2
_MIDDLE = slice(2, 6)  # the depthwise kernel is the middle 4x4 of the 8x8 template
_TOWER_BLOCKS = 6
# kernel, inner width, width, squeeze-excite's inner width (0: none), hard swish, stride of each block after the first
_BLOCKS = (
    (3, 72, 24, 0, False, 2),
    (3, 88, 24, 0, False, 1),
    (5, 96, 40, 24, True, 2),
    (5, 240, 40, 64, True, 1),
    (5, 240, 40, 64, True, 1),
    (5, 120, 48, 32, True, 1),
    (5, 144, 48, 40, True, 1),
    (5, 288, 96, 72, True, 1),
)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from the channels' means."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(width, inner), nn.ReLU(inplace=True), nn.Linear(inner, width))

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to the same shape."""
        gate = F.hardsigmoid(self.fc(x.mean((2, 3))))
        return x * gate[:, :, None, None]


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise, squeeze-excite, 1x1 projection, with a shortcut where the shapes agree."""

    def __init__(
        self,
        inputs: int,
        kernel: int,
        hidden: int,
        outputs: int,
        inner: int,
        *,
        swish: bool,
        stride: int,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        reach = dilation * (kernel // 2)
        self.shortcut = stride == 1 and inputs == outputs
        activation = nn.Hardswish if swish else nn.ReLU
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            activation(),
            nn.Conv2d(hidden, hidden, kernel, stride, reach, dilation, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            SqueezeExcite(hidden, inner) if inner else nn.Identity(),
            activation(),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to BxC'xH'xW'."""
        out: Tensor = self.conv(x)
        return x + out if self.shortcut else out


class FirstBlock(nn.Module):
    """The block after the stem, without expansion; its gate follows the activation."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(width, width, 3, 2, 1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            SqueezeExcite(width, inner),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to BxCxH/2xW/2."""
        out: Tensor = self.conv(x)
        return out


def mobilenet_blocks(largest_stride: int) -> nn.Sequential:
    """The stem and the nine blocks of the trunk.

    Args:
        largest_stride: 16 as published; 8 leaves the last stride out and dilates the blocks after it by two, so that
            the even cells see what the published ones see, but for the gates, whose means run over all cells.
    """
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
    blocks: list[nn.Module] = [stem, FirstBlock(16, 8)]
    width, reached, dilation = 16, 4, 1
    for kernel, hidden, outputs, inner, swish, stride in _BLOCKS:
        taken = stride if reached * stride <= largest_stride else 1
        blocks.append(
            InvertedResidual(width, kernel, hidden, outputs, inner, swish=swish, stride=taken, dilation=dilation)
        )
        width, reached, dilation = outputs, reached * taken, dilation * (stride // taken)
    return nn.Sequential(*blocks)


class MobileNetV3Small(nn.Module):
    """96 channels at stride 16: 16x16 for a crop of 255, 8x8 for one of 127."""

    def __init__(self) -> None:
        super().__init__()
        self.features = mobilenet_blocks(largest_stride=16)

    def forward(self, crop: Tensor) -> Tensor:
        """Bx3xSxS to Bx96xS/16xS/16."""
        feature: Tensor = self.features(crop)
        return feature


class DepthwiseCorrelation(nn.Module):
    """Correlate a channel at a time with the middle of the template."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_kernel = _conv_bn(_WIDTH, _WIDTH)
        self.conv_search = _conv_bn(_WIDTH, _WIDTH)

    def kernel(self, feature: Tensor) -> Tensor:
        """Bx96x8x8 to Bx96x1x4x4."""
        return depthwise_kernel(self.conv_kernel(feature[:, :, _MIDDLE, _MIDDLE]))

    def respond(self, feature: Tensor, kernel: Tensor) -> Tensor:
        """Bx96x16x16 and the kernel to Bx96x15x15."""
        return correlation(feature, kernel, padding=1)


class ChannelGate(nn.Module):
    """Scale each channel by a gate computed from the channels' means, with convolutions as layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, width, 1)
        self.fc2 = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to the same shape."""
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class PixelwiseCorrelation(nn.Module):
    """Compare each cell of the search feature with each of the template's 64: a 1x1 convolution with 64 outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_kernel = _conv_bn(_WIDTH, _WIDTH)
        self.conv_search = _conv_bn(_WIDTH, _WIDTH)
        self.CA_layer = ChannelGate(_PIXELS)
        self.conv = nn.Sequential(
            nn.Conv2d(_PIXELS, _PIXELS, 2, groups=_PIXELS, bias=False),
            nn.BatchNorm2d(_PIXELS),
            nn.ReLU6(),
            nn.Conv2d(_PIXELS, _PIXELS, 1),
            nn.BatchNorm2d(_PIXELS),
        )

    def kernel(self, feature: Tensor) -> Tensor:
        """Bx96x8x8 to Bx64x96x1x1."""
        cells = self.conv_kernel(feature).reshape(-1, _WIDTH, _PIXELS)
        return torch.transpose(cells, 1, 2)[:, :, :, None, None]

    def respond(self, feature: Tensor, kernel: Tensor) -> Tensor:
        """Bx96x16x16 and the kernel to Bx64x15x15."""
        out: Tensor = self.conv(self.CA_layer(correlation(feature, kernel)))
        return out


class BoxAdaptiveHead(nn.Module):
    """Two branches; in each the two correlations are joined, narrowed, and refined by a tower."""

    def __init__(self) -> None:
        super().__init__()
        for branch in ("cls", "reg"):
            self.add_module(f"corr_dw_{branch}", DepthwiseCorrelation())
            self.add_module(f"corr_pw_{branch}", PixelwiseCorrelation())
            self.add_module(f"down_{branch}", nn.Sequential(nn.Conv2d(_WIDTH + _PIXELS, _WIDTH, 1)))
        self.cls_tower = _tower()
        self.bbox_tower = _tower()
        self.cls_logits = nn.Sequential(nn.Conv2d(_WIDTH, 2, 1))
        self.bbox_pred = nn.Sequential(nn.Conv2d(_WIDTH, 4, 1))

    def forward(self, responses: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Responses of the four correlations to cls Bx2x15x15 and loc Bx4x15x15."""
        cls = self.get_submodule("down_cls")(torch.cat([responses["pw_cls"], responses["dw_cls"]], 1))
        loc = self.get_submodule("down_reg")(torch.cat([responses["pw_loc"], responses["dw_loc"]], 1))
        return self.cls_logits(self.cls_tower(cls)), torch.exp(self.bbox_pred(self.bbox_tower(loc)))


class NanoTrack(TrackerNetwork):
    """NanoTrackV3: kernels ``pw_cls``, ``dw_cls``, ``pw_loc``, ``dw_loc``; loc is the distance to each side, in px."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = MobileNetV3Small()
        self.neck = AdjustLayer(_WIDTH, _WIDTH)  # in the checkpoint, but on no path of the published graphs
        self.ban_head = BoxAdaptiveHead()

    def template(self, crop: Tensor) -> dict[str, Tensor]:
        """See :meth:`TrackerNetwork.template`."""
        feature = self.backbone(crop)
        return {f"kernel_{name}": correlator.kernel(feature) for name, correlator in self._correlators()}

    def search(self, crop: Tensor) -> dict[str, Tensor]:
        """See :meth:`TrackerNetwork.search`."""
        feature = self.backbone(crop)
        return {f"feature_{name}": correlator.conv_search(feature) for name, correlator in self._correlators()}

    def correlate(self, features: dict[str, Tensor], kernels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """See :meth:`TrackerNetwork.correlate`."""
        responses = {
            name: correlator.respond(features[f"feature_{name}"], kernels[f"kernel_{name}"])
            for name, correlator in self._correlators()
        }
        return self.ban_head(responses)  # type: ignore[no-any-return]

    def fold(self) -> None:
        """Nothing is linear after the last layer: one level, no fusion."""

    def _correlators(self) -> list[tuple[str, DepthwiseCorrelation | PixelwiseCorrelation]]:
        branches = (("cls", "cls"), ("loc", "reg"))
        return [
            (f"{kind}_{name}", getattr(self.ban_head, f"corr_{kind}_{key}"))
            for name, key in branches
            for kind in ("pw", "dw")
        ]


def _conv_bn(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs))


def _tower() -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(_TOWER_BLOCKS):
        layers += [
            nn.Conv2d(_WIDTH, _WIDTH, 3, 1, 1, groups=_WIDTH, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU6(),
            nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False),
            nn.BatchNorm2d(_WIDTH),
        ]
    return nn.Sequential(*layers)
