"""A network takes on the blocks and widths of a checkpoint, so that a pruned model needs no code of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn


def block_counts(state: Mapping[str, Tensor], prefix: str, stages: int) -> tuple[int, ...] | None:
    """How many blocks each stage of *state* has, or None where it has no such stages.

    Args:
        state: a checkpoint.
        prefix: key prefix with ``{}`` for the number of the stage, from 1.
        stages: how many there are.
    """
    counts = []
    for stage in range(1, stages + 1):
        pattern = re.compile(re.escape(prefix.format(stage)) + r"(\d+)\.")
        blocks = {match.group(1) for match in map(pattern.match, state) if match}
        counts.append(len(blocks))
    return tuple(counts) if all(counts) else None


def adopt_blocks(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Leave of each block of *network* that *state* has no key of, in place, its shortcut alone.

    Only blocks whose output is a sum with their unchanged input can go so.
    """
    for name, module in list(network.named_modules()):
        if getattr(module, "shortcut", False) is True and not any(key.startswith(f"{name}.") for key in state):
            home, _, own = name.rpartition(".")
            setattr(network.get_submodule(home), own, nn.Identity())


def adopt_widths(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Resize the convolutions, norms and linear layers of *network*, in place, to the widths in *state*.

    Kernel sizes, dimensions and groups of one stay, so a layer whose tensor has others is left as it is; a depthwise
    convolution stays depthwise.
    """
    for name, module in network.named_modules():
        weight = state.get(f"{name}.weight")
        if weight is None or not isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            continue
        own = module.weight
        if weight.shape != own.shape and weight.dim() == own.dim() and weight.shape[2:] == own.shape[2:]:
            _resize(module, weight)


def _resize(module: nn.Conv2d | nn.BatchNorm2d | nn.Linear, weight: Tensor) -> None:
    """Give *module* new parameters of the checkpoint's widths."""
    outputs = weight.shape[0]
    if isinstance(module, nn.Conv2d):
        if module.groups > 1:
            module.groups = outputs
        module.in_channels, module.out_channels = weight.shape[1] * module.groups, outputs
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features = outputs
        module.running_mean, module.running_var = module.weight.new_zeros(outputs), module.weight.new_ones(outputs)
    else:
        module.in_features, module.out_features = weight.shape[1], outputs
    module.weight = nn.Parameter(module.weight.new_empty(weight.shape))
    if module.bias is not None:
        module.bias = nn.Parameter(module.bias.new_empty(outputs))
