"""Which channels of a network stand and fall together.

Removing a channel removes a row of the layer that makes it and a column of every layer that reads it; shortcuts,
depthwise layers, gates and the correlation tie more of them together. The library ``torch-pruning`` finds these groups
in the network's graph (its ``DependencyGraph`` alone is used); that a cut along them is right is proved by
``training.pruning.proof``.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning
from torch import nn

from networks.lighttrack.network import LightTrack
from networks.models import spec
from networks.tracker import TrackerNetwork
from siamtrt import UsageError

MAPS = ("head.3", "cls_logits.0", "bbox_pred.0")
# Its output channels are the cells of the template, and search channels are taken for them: such a cut does not run.
PIXELWISE = "corr_pw_"


@dataclass(frozen=True)
class Member:
    """One side of a layer that a group reaches.

    Attributes:
        layer: its name in the network: a convolution, a linear layer or a norm.
        reads: the channels are its inputs; otherwise it makes or carries them.
        places: where each channel of the group lies among the layer's own.
    """

    layer: str
    reads: bool
    places: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Channels that can only go together, one by one.

    Attributes:
        name: of the first layer that makes them.
        width: how many channels there are.
        members: the layers they reach.
        branch: of a residual block that goes whole, see ``training.pruning.blocks``: the module whose output its one
            mask multiplies; empty for channels.
    """

    name: str
    width: int
    members: tuple[Member, ...]
    branch: str = ""

    @property
    def readers(self) -> tuple[Member, ...]:
        """The members whose input the channels are: removing a channel is the same as multiplying it by zero there."""
        return tuple(member for member in self.members if member.reads)


def find_groups(network: TrackerNetwork, model: str, *, left_out: tuple[str, ...] = (PIXELWISE,)) -> tuple[Group, ...]:
    """The groups of *network* whose width may change, in the order of their first layers.

    The channels of the maps stay, and so does all that numbers in the code fix.

    Args:
        network: in evaluation mode, on the CPU.
        model: its key in ``networks.models.MODELS``.
        left_out: groups with channels made by a layer whose name has one of these in it are left out.

    Raises:
        UsageError: the network is of a kind whose widths its own search space rules.
    """
    if isinstance(network, LightTrack):
        raise UsageError(
            f"{model} takes its widths from its search space", hint="docs/architectures.md: search a smaller one"
        )
    network = copy.deepcopy(network).requires_grad_()  # the library walks along the gradients
    order = {name: number for number, (name, _) in enumerate(network.named_modules())}
    names = {module: name for name, module in network.named_modules()}
    found = []
    for items in _graph(network, model).get_all_groups():
        group = _group(items, names, order)
        makers = [member.layer for member in group.members if not member.reads] if group else []
        if group and not any(word in maker for maker in makers for word in left_out):
            found.append(group)
    return tuple(sorted(found, key=lambda group: order[group.name]))


def _graph(network: TrackerNetwork, model: str) -> Any:
    crops = tuple(torch.zeros(1, 3, side, side) for side in (spec(model).template_px, spec(model).search_px))
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it speaks of the fusion weights even where they are left out
        return torch_pruning.DependencyGraph().build_dependency(
            network, crops, forward_fn=lambda module, inputs: module(*inputs), verbose=False
        )


def _group(items: Any, names: dict[nn.Module, str], order: dict[str, int]) -> Group | None:
    """The library's group in our words; None where it reaches the maps or what is no layer."""
    members: dict[tuple[str, bool], Member] = {}
    for item in items:
        dependency, places = item.dep, dict(zip(item.root_idxs, item.idxs, strict=True))
        module, reads = dependency.target.module, dependency.handler.__name__ == "prune_in_channels"
        if isinstance(module, nn.Parameter):
            return None
        if not isinstance(module, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            continue  # an operation, such as a sum
        name = names[module]
        if not reads and name.endswith(MAPS):
            return None
        depthwise = isinstance(module, nn.Conv2d) and module.groups > 1
        reads = reads and not depthwise
        members[name, reads] = Member(name, reads, tuple(int(places[channel]) for channel in sorted(places)))
    makers = [name for name, reads in members if not reads]
    if not makers or len({len(member.places) for member in members.values()}) != 1:
        return None
    ordered = tuple(members[key] for key in sorted(members, key=lambda key: (order[key[0]], key[1])))
    return Group(min(makers, key=lambda name: order[name]), len(ordered[0].places), ordered)
