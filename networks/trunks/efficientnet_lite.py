"""EfficientNet-Lite0 up to its fifth stage at stride 8: no squeeze-excite, ReLU6 throughout.

As in PySOT's trunks the strided convolutions are padded so that a crop of 127 gives 15 cells and one of 255 gives 31,
and the stages that would stride further are dilated instead. Source: Tan and Le, ICML 2019, and its Lite variant.
"""

from __future__ import annotations

from torch import Tensor, nn

from networks.trunks.staged import StagedTrunk

# expansion, kernel, width, blocks, stride, dilation, padding of the strided convolution
_STAGES = (
    (1, 3, 16, 1, 1, 1, 1),
    (6, 3, 24, 2, 2, 1, 0),
    (6, 5, 40, 2, 2, 1, 1),
    (6, 3, 80, 3, 1, 2, 0),
    (6, 5, 112, 3, 1, 2, 0),
)
_STEM_WIDTH = 32
_USED_STAGES = (3, 4, 5)
CHANNELS = (40, 80, 112)


class InvertedResidual(nn.Module):
    """1x1 expansion (unless it would be 1), depthwise, 1x1 projection, with a shortcut where the shapes agree."""

    def __init__(
        self, inputs: int, outputs: int, *, expansion: int, kernel: int, stride: int, dilation: int, padding: int
    ) -> None:
        super().__init__()
        self.shortcut = stride == 1 and inputs == outputs
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True)]
        layers += [
            nn.Conv2d(hidden, hidden, kernel, stride, padding, dilation, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to BxC'xH'xW'."""
        out: Tensor = self.conv(x)
        return x + out if self.shortcut else out


class EfficientNetLite0(StagedTrunk):
    """Features of stages 3, 4 and 5: 40, 80 and 112 channels, 31x31 for a crop of 255.

    The stem takes BGR 0..255 like every network here; training folds the ImageNet normalisation into its weights.
    """

    levels = len(_USED_STAGES)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, _STEM_WIDTH, 3, 2), nn.BatchNorm2d(_STEM_WIDTH), nn.ReLU6(inplace=True))
        inputs = _STEM_WIDTH
        for number, (expansion, kernel, outputs, count, stride, dilation, padding) in enumerate(_STAGES, start=1):
            same = dilation * (kernel // 2)
            blocks: list[nn.Module] = []
            for index in range(count):
                strided = stride if index == 0 else 1
                blocks.append(
                    InvertedResidual(
                        inputs,
                        outputs,
                        expansion=expansion,
                        kernel=kernel,
                        stride=strided,
                        dilation=dilation,
                        padding=padding if strided > 1 else same,
                    )
                )
                inputs = outputs
            self.add_module(f"layer{number}", nn.Sequential(*blocks))

    def stage(self, level: int, x: Tensor) -> Tensor:
        """See :meth:`StagedTrunk.stage`."""
        if level == 0:
            x = self.stem(x)
        first = _USED_STAGES[level - 1] + 1 if level else 1
        for number in range(first, _USED_STAGES[level] + 1):
            x = getattr(self, f"layer{number}")(x)
        return x
