"""MobileNetV2 at stride 8: the last stages are dilated instead of strided; strided convolutions have no padding.

Source: Sandler et al., CVPR 2018; PySOT's ``mobilenetv2``.
"""

from __future__ import annotations

from torch import Tensor, nn

from networks.trunks.staged import StagedTrunk

_STEM_WIDTH = 32
# expansion, width, blocks, stride, dilation of each stage
_STAGES = (
    (1, 16, 1, 1, 1),
    (6, 24, 2, 2, 1),
    (6, 32, 3, 2, 1),
    (6, 64, 4, 1, 2),
    (6, 96, 3, 1, 2),
    (6, 160, 3, 1, 4),
    (6, 320, 1, 1, 4),
)
_USED_STAGES = (3, 5, 7)


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 projection, with a shortcut where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, dilation: int) -> None:
        super().__init__()
        self.shortcut = stride == 1 and inputs == outputs
        hidden = inputs * expansion
        padding = dilation if dilation > 1 else 2 - stride
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride, padding, dilation, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to BxC'xH'xW'."""
        out: Tensor = self.conv(x)
        return x + out if self.shortcut else out


class MobileNetV2(StagedTrunk):
    """Features of stages 3, 5 and 7: 44, 134 and 448 channels at the width 1.4, 31x31 for a crop of 255."""

    levels = len(_USED_STAGES)

    def __init__(self, width: float = 1.4) -> None:
        super().__init__()
        inputs = int(_STEM_WIDTH * width)
        self.layer0 = nn.Sequential(
            nn.Conv2d(3, inputs, 3, 2, bias=False), nn.BatchNorm2d(inputs), nn.ReLU6(inplace=True)
        )
        previous = 1
        for number, (expansion, channels, count, stride, dilation) in enumerate(_STAGES, start=1):
            outputs = int(channels * width)
            first = dilation if dilation == previous else max(1, dilation // 2)
            blocks = [InvertedResidual(inputs, outputs, stride, expansion, first)]
            blocks += [InvertedResidual(outputs, outputs, 1, expansion, dilation) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            inputs, previous = outputs, dilation

    def stage(self, level: int, x: Tensor) -> Tensor:
        """See :meth:`StagedTrunk.stage`."""
        if level == 0:
            x = self.layer0(x)
        first = _USED_STAGES[level - 1] + 1 if level else 1
        for number in range(first, _USED_STAGES[level] + 1):
            x = getattr(self, f"layer{number}")(x)
        return x
