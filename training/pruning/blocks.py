"""Residual blocks that can go whole: what is left of one is its shortcut."""

from __future__ import annotations

from torch import nn

from networks.tracker import TrackerNetwork
from training.pruning.groups import Group, Member


def find_blocks(network: TrackerNetwork) -> tuple[Group, ...]:
    """A group of width one for each block of *network* whose input its output is a sum with, unchanged.

    ``networks.adopt_widths`` makes a network without such a block from a checkpoint without its keys.
    """
    return tuple(
        Group(name, 1, _layers(f"{name}.conv", module.get_submodule("conv")), branch=f"{name}.conv")
        for name, module in network.named_modules()
        if getattr(module, "shortcut", False) is True
    )


def inside(block: Group, group: Group) -> bool:
    """Whether *group* is nothing but channels within *block*, so that it goes with it."""
    return not group.branch and all(member.layer.startswith(f"{block.branch}.") for member in group.members)


def _layers(branch: str, module: nn.Module) -> tuple[Member, ...]:
    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
    named = [f"{branch}.{name}" for name, layer in module.named_modules() if isinstance(layer, kinds)]
    return tuple(Member(name, reads=False, places=()) for name in named)
