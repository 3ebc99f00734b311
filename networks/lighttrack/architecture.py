"""Architectures of LightTrack as values, as strings, and as read from a checkpoint. No torch is needed.

The strings are those of the published code: ``back_0 D.. 0+cls_W K..+reg_W K.._ops_SB`` without the spaces. Each D is
the choice of a backbone block (0 kernel 3 and expansion 4, 1 kernel 3 and expansion 6, 2 and 3 kernel 5, 4 and 5
kernel 7), W the width of a tower (0 128, 1 192, 2 256), each K the kernel of one of its eight layers (0 3x3, 1 5x5,
2 skipped), S and B the stage and the block whose output is used. Blocks behind it do not exist, and skips commute with
layers, so many strings mean one network: :class:`Architecture` holds only what exists, and its string is the canonical
one.

Source: Yan et al., CVPR 2021, table 1; ``researchmm/LightTrack``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from siamtrt import UsageError

CHOICES = ((3, 4), (3, 6), (5, 4), (5, 6), (7, 4), (7, 6))  # kernel and expansion of each digit
STEM_WIDTH = 16
STAGE_WIDTHS = (24, 40, 80, 96)
STAGE_STRIDES = (2, 2, 2, 1)
TOWER_WIDTHS = (128, 192, 256)
TOWER_KERNELS = (3, 5)
TOWER_LAYERS = 8
_SKIP = "2"
_DEPTH = 4  # blocks of a stage; the first one has two in the strings of 18 digits
_FIRST_DEPTHS = {18: 2, 20: 4}
_FORM = re.compile(r"back_0(\d*)0\+cls_(\d*)\+reg_(\d*)_ops_(\d*)")
_TEMPLATE_PX = 128  # 127 gives as many cells


class HasShape(Protocol):
    """What of a checkpoint's tensor an architecture is read from."""

    @property
    def shape(self) -> Sequence[int]:
        """Its dimensions."""


@dataclass(frozen=True)
class Block:
    """An inverted residual block: what its digit and its place say of it."""

    inputs: int
    outputs: int
    kernel: int
    expansion: int
    stride: int

    @property
    def hidden(self) -> int:
        """Channels inside."""
        return divisible_by_8(self.inputs * self.expansion)

    @property
    def squeezed(self) -> int:
        """Inner width of its squeeze-excite."""
        return divisible_by_8(0.25 * self.hidden)


@dataclass(frozen=True)
class Tower:
    """One branch of the head.

    Attributes:
        width: channels, one of ``TOWER_WIDTHS``.
        kernels: of each layer that is not skipped, each one of ``TOWER_KERNELS``.
    """

    width: int
    kernels: tuple[int, ...]

    def __str__(self) -> str:
        digits = "".join(str(TOWER_KERNELS.index(kernel)) for kernel in self.kernels)
        return f"{TOWER_WIDTHS.index(self.width)}{digits.ljust(TOWER_LAYERS, _SKIP)}"


@dataclass(frozen=True)
class Architecture:
    """A network of the search space; two are equal exactly where their networks are.

    Attributes:
        stages: the digits of the blocks that exist, stage by stage; the last stage ends with the block that is used.
        cls: the tower of the scores.
        reg: the tower of the boxes.
    """

    stages: tuple[tuple[int, ...], ...]
    cls: Tower
    reg: Tower

    def __str__(self) -> str:
        """The canonical string: zeros behind the output, skips last."""
        digits = "".join("".join(map(str, stage)).ljust(_DEPTH, "0") for stage in self.stages[1:])
        backbone = "".join(map(str, self.stages[0])) + digits.ljust(_DEPTH * len(STAGE_WIDTHS), "0")
        return f"back_0{backbone}0+cls_{self.cls}+reg_{self.reg}_ops_{len(self.stages) - 1}{len(self.stages[-1]) - 1}"

    @property
    def blocks(self) -> tuple[tuple[Block, ...], ...]:
        """The blocks behind the depthwise-separable one, stage by stage."""
        inputs, stages = STEM_WIDTH, []
        for digits, outputs, stride in zip(self.stages, STAGE_WIDTHS, STAGE_STRIDES, strict=False):
            blocks = []
            for place, digit in enumerate(digits):
                blocks.append(Block(inputs, outputs, *CHOICES[digit], stride if place == 0 else 1))
                inputs = outputs
            stages.append(tuple(blocks))
        return tuple(stages)

    @property
    def channels(self) -> int:
        """Channels of the features that are correlated."""
        return STAGE_WIDTHS[len(self.stages) - 1]

    @property
    def stride(self) -> int:
        """Input pixels from one cell of the features to the next."""
        return 8 if len(self.stages) == 2 else 16

    @property
    def template_cells(self) -> int:
        """Cells of the template, so many channels the correlation has."""
        return (_TEMPLATE_PX // self.stride) ** 2


def parse(text: str) -> Architecture:
    """Read an architecture from its string, canonical or not.

    Raises:
        UsageError: it has another form, another number of digits, or a digit that means nothing.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"not an architecture: {text!r}", hint=f"as in {MOBILE}")
    backbone, cls, reg, output = match.groups()
    if len(backbone) not in _FIRST_DEPTHS:
        raise UsageError(f"{text}: the backbone has {len(backbone)} digits between its zeros, expected 18 or 20")
    if not re.fullmatch("[0-5]*", backbone):
        raise UsageError(f"{text}: a digit of the backbone is above 5")
    if not re.fullmatch("[1-3][0-3]", output):
        raise UsageError(f"{text}: the output is {output!r}, expected a stage 1 to 3 and a block 0 to 3")
    choices = [int(digit) for digit in backbone]
    first = _FIRST_DEPTHS[len(backbone)]
    stages = [choices[:first], *(choices[start : start + _DEPTH] for start in range(first, len(choices), _DEPTH))]
    stage, block = int(output[0]), int(output[1])
    existing = [*stages[:stage], stages[stage][: block + 1]]
    return Architecture(tuple(map(tuple, existing)), _tower(text, cls), _tower(text, reg))


def architecture_of(state: Mapping[str, HasShape]) -> Architecture | None:
    """Read the architecture from the shapes of a checkpoint; None where they are not those of a LightTrack."""
    stages, inputs = [], STEM_WIDTH
    for number, outputs in enumerate(STAGE_WIDTHS, start=1):
        digits: list[int] = []
        while f"features.blocks.{number}.{len(digits)}.conv_dw.weight" in state:
            digit = _digit(state, f"features.blocks.{number}.{len(digits)}.", inputs)
            if digit is None:
                return None
            digits.append(digit)
            inputs = outputs
        if digits:
            stages.append(tuple(digits))
    towers = [_tower_of(state, f"head.{branch}_tower.") for branch in ("cls", "reg")]
    cls, reg = towers
    known = len(stages) > 1 and len(stages[0]) in _FIRST_DEPTHS.values() and max(map(len, stages)) <= _DEPTH
    return Architecture(tuple(stages), cls, reg) if known and cls and reg else None


def divisible_by_8(width: float) -> int:
    """The multiple of 8 nearest to *width*, at least 8 and not below nine tenths of it."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def _tower(text: str, digits: str) -> Tower:
    if len(digits) != 1 + TOWER_LAYERS:
        raise UsageError(f"{text}: the tower {digits!r} has {len(digits)} digits, expected {1 + TOWER_LAYERS}")
    if not re.fullmatch("[0-2][01][0-2]*", digits):
        raise UsageError(f"{text}: the tower {digits!r} has a digit above 2, or skips its first layer")
    kernels = tuple(TOWER_KERNELS[int(digit)] for digit in digits[1:] if digit != _SKIP)
    return Tower(TOWER_WIDTHS[int(digits[0])], kernels)


def _digit(state: Mapping[str, HasShape], prefix: str, inputs: int) -> int | None:
    """The choice that gives a block the shapes of *state*."""
    kernel, _ = _sides(state, f"{prefix}conv_dw.weight")
    _, hidden = _sides(state, f"{prefix}conv_pw.weight")
    choices = [(size, divisible_by_8(expansion * inputs)) for size, expansion in CHOICES]
    return choices.index((kernel, hidden)) if (kernel, hidden) in choices else None


def _tower_of(state: Mapping[str, HasShape], prefix: str) -> Tower | None:
    kernels: list[int] = []
    while f"{prefix}{len(kernels)}.conv1.weight" in state:
        kernels.append(_sides(state, f"{prefix}{len(kernels)}.conv1.weight")[0])
    _, width = _sides(state, f"{prefix}0.pointwise.weight")
    known = width in TOWER_WIDTHS and set(kernels) <= set(TOWER_KERNELS) and len(kernels) <= TOWER_LAYERS
    return Tower(width, tuple(kernels)) if known else None


def _sides(state: Mapping[str, HasShape], key: str) -> tuple[int, int]:
    """Kernel size and outputs of the convolution called *key*; zeros where there is none."""
    shape = state[key].shape if key in state else ()
    return (shape[-1], shape[0]) if len(shape) == 4 else (0, 0)


MOBILE = "back_04502514044521000000+cls_211000022+reg_100000111_ops_32"  # LightTrack-Mobile, as published
