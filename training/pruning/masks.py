"""Channels multiplied by a mask at the input of every layer that reads them: removal, before anything is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from training.pruning.groups import Group, Member


@contextmanager
def masked(network: nn.Module, groups: Sequence[Group], masks: Mapping[str, Tensor]) -> Iterator[None]:
    """Within the block, *network* sees each channel of *groups* times its mask.

    Masking at the readers is what a cut does, in sums of branches, depthwise chains, gates and correlations alike.

    Args:
        network: whose layers *groups* names.
        groups: those that *masks* has no entry for are left alone.
        masks: name of a group -> its masks, width, or Bxwidth where each sample has its own; may ask for a gradient.
    """
    chosen = [(group, masks[group.name]) for group in groups if group.name in masks]
    hooks = [
        network.get_submodule(reader.layer).register_forward_pre_hook(partial(_apply, reader, mask))
        for group, mask in chosen
        for reader in group.readers
    ]
    hooks += [
        network.get_submodule(group.branch).register_forward_hook(partial(_fade, mask))
        for group, mask in chosen
        if group.branch
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _fade(mask: Tensor, _: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
    return output * mask.reshape(-1, 1, 1, 1)


def _apply(reader: Member, mask: Tensor, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    x: Tensor = inputs[0]
    rows = mask.reshape(-1, mask.shape[-1])
    if reader.places != tuple(range(x.shape[1])):
        whole = x.new_ones(len(rows), x.shape[1])
        whole[:, list(reader.places)] = rows
        rows = whole
    return (x * rows.reshape(*rows.shape, *[1] * (x.dim() - 2)), *inputs[1:])
