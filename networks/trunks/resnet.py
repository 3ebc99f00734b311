"""ResNet-50 at stride 8: the last two stages are dilated instead of strided.

Unlike torchvision's, stem and strided convolutions have no padding, and the projections of stages 2 to 4 are 3x3.
Source: He et al., CVPR 2016; Li et al., CVPR 2019, sec. 4.1; PySOT's ``resnet50``.
"""

from __future__ import annotations

from torch import Tensor, nn

from networks.trunks.staged import StagedTrunk

_EXPANSION = 4
_STAGES = ((64, 1, 1), (128, 2, 1), (256, 1, 2), (512, 1, 4))  # planes, stride, dilation


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut."""

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, downsample: nn.Module | None) -> None:
        super().__init__()
        padding = dilation if dilation > 1 else 2 - stride
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * _EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * _EXPANSION)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to Bx(4 planes)xH'xW'."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        shortcut = x if self.downsample is None else self.downsample(x)
        summed: Tensor = self.relu(out + shortcut)
        return summed


class ResNet50(StagedTrunk):
    """Features of stages 2, 3 and 4: 512, 1024 and 2048 channels, 31x31 for a crop of 255.

    Args:
        blocks: how many blocks each of the four stages has, or of the first three alone.
    """

    def __init__(self, blocks: tuple[int, ...] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        width = 64
        self.levels = len(blocks) - 1
        settings = zip(blocks, _STAGES[: len(blocks)], strict=True)
        for number, (count, (planes, stride, dilation)) in enumerate(settings, start=1):
            self.add_module(f"layer{number}", _stage(width, planes, count, stride, dilation))
            width = planes * _EXPANSION

    def stage(self, level: int, x: Tensor) -> Tensor:
        """See :meth:`StagedTrunk.stage`."""
        if level == 0:
            x = self.get_submodule("layer1")(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        deeper: Tensor = getattr(self, f"layer{level + 2}")(x)
        return deeper


def _stage(inputs: int, planes: int, count: int, stride: int, dilation: int) -> nn.Sequential:
    outputs = planes * _EXPANSION
    first_dilation = max(1, dilation // 2)  # the first block meets the new dilation half way
    blocks = [Bottleneck(inputs, planes, stride, first_dilation, _projection(inputs, outputs, stride, dilation))]
    blocks += [Bottleneck(outputs, planes, 1, dilation, None) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


def _projection(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Sequential:
    if stride == 1 and dilation == 1:
        convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    else:
        half = dilation // 2
        convolution = nn.Conv2d(inputs, outputs, 3, stride, half, max(1, half), bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))
