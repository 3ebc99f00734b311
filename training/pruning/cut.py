"""Take channels out of a checkpoint: rows of the layers that make them, columns of those that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from networks.models import build
from networks.tracker import TrackerNetwork
from siamtrt import ParityError
from training.pruning.groups import Group, Member

_MADE = ("weight", "bias", "running_mean", "running_var")


def cut_state(
    state: Mapping[str, Tensor], groups: Sequence[Group], kept: Mapping[str, Sequence[int]]
) -> dict[str, Tensor]:
    """*state* without the channels that *groups* give up.

    Args:
        state: of a network.
        groups: of that network, and its blocks.
        kept: name of a group -> the channels that stay; groups without an entry stay whole.
    """
    lost = tuple(f"{group.branch}." for group in groups if group.branch and not kept.get(group.name, (0,)))
    cut = {key: value for key, value in state.items() if not key.startswith(lost)}
    for (layer, reads), removed in _removed(groups, kept).items():
        for part in ("weight",) if reads else _MADE:
            key = f"{layer}.{part}"
            if key in cut:
                side = 1 if reads else 0
                stay = [place for place in range(cut[key].shape[side]) if place not in removed]
                cut[key] = cut[key].index_select(side, torch.tensor(stay)).clone()
    return cut


def rebuilt(model: str, state: Mapping[str, Tensor]) -> TrackerNetwork:
    """The network that a cut *state* is of, in evaluation mode.

    Raises:
        ParityError: the widths contradict each other: the groups were not those of the network.
    """
    try:
        network = build(model, state)
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        first = str(error).splitlines()
        raise ParityError(f"the cut tensors do not make a {model}: {first[-1].strip()}") from error
    return network.eval()


def _removed(groups: Sequence[Group], kept: Mapping[str, Sequence[int]]) -> dict[tuple[str, bool], set[int]]:
    """Layer and side -> the places that go."""
    removed: dict[tuple[str, bool], set[int]] = {}
    for group in groups:
        stay = set(kept.get(group.name, range(group.width)))
        gone = [channel for channel in range(group.width) if channel not in stay]
        for member in group.members if gone and not group.branch else ():
            removed.setdefault(_side(member), set()).update(member.places[channel] for channel in gone)
    return removed


def _side(member: Member) -> tuple[str, bool]:
    return member.layer, member.reads
