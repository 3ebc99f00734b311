"""What a network costs at any widths: multiply-accumulates and milliseconds of its search graph, and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from networks.models import spec
from networks.tracker import TrackerNetwork
from siamtrt.card import SEARCH, TARGET, XCORR
from training.pruning.groups import Group

Note = Callable[[str, Tensor, Tensor], None]
_Result = TypeVar("_Result")

Widths = dict[str, tuple[int, int]]  # name of a layer -> how many channels it reads and makes


@dataclass(frozen=True)
class Layer:
    """A layer with weights, and what of it does not change with its width.

    Attributes:
        name: in the network.
        kind: ``dense``, ``depthwise`` or ``norm``.
        taps: pixels of its kernel.
        bias: it has one.
        search_cells: pixels that one run of the search graph makes of it; 0 where that graph does not run it.
        form: kernel, stride, dilation and padding, as tables of times name them; None for what is no convolution.
        input_px: side of what it reads in the search graph.
    """

    name: str
    kind: str
    taps: int
    bias: bool
    search_cells: int = 0
    form: tuple[int, int, int, int] | None = None
    input_px: int = 0

    def weights(self, inputs: int, outputs: int) -> int:
        """How many weights and biases it has at these widths."""
        if self.kind == "norm":
            return 2 * outputs
        return outputs * (self.taps * (inputs if self.kind == "dense" else 1) + self.bias)

    def macs(self, inputs: int, outputs: int) -> int:
        """Multiply-accumulates in one run of the search graph."""
        if self.kind == "norm":
            return 0
        return self.search_cells * self.taps * outputs * (inputs if self.kind == "dense" else 1)


def layers_of(network: TrackerNetwork, model: str) -> tuple[tuple[Layer, ...], Widths]:
    """The layers of *network*, a *model*, in its order, and their widths as they are."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def note(name: str, inputs: Tensor, output: Tensor) -> None:
        seen[name] = (inputs, output)

    with _watched(network, note), torch.no_grad():
        network.search(torch.zeros(1, 3, spec(model).search_px, spec(model).search_px))
    layers, widths = [], {}
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            layers.append(_layer(name, module, seen.get(name)))
            dense = layers[-1].kind == "dense"
            widths[name] = (module.weight.shape[1] if dense else len(module.weight), len(module.weight))
    return tuple(layers), widths


def _layer(name: str, module: nn.Conv2d | nn.Linear | nn.BatchNorm2d, seen: tuple[Tensor, Tensor] | None) -> Layer:
    biased = module.bias is not None
    if isinstance(module, nn.BatchNorm2d):
        return Layer(name, "norm", 1, biased)
    if isinstance(module, nn.Linear):
        return Layer(name, "dense", 1, biased, search_cells=int(seen is not None))
    form = tuple(int(value[0]) for value in (module.kernel_size, module.stride, module.dilation, module.padding))
    return Layer(
        name,
        "depthwise" if module.groups > 1 else "dense",
        module.weight[0, 0].numel(),
        biased,
        search_cells=seen[1][0, 0].numel() if seen else 0,
        form=(form[0], form[1], form[2], form[3]),
        input_px=seen[0].shape[-1] if seen else 0,
    )


def narrowed(widths: Widths, group: Group, count: int) -> Widths:
    """*widths* with *count* channels of *group* less; a block that goes whole leaves no width."""
    if group.branch:
        return {**widths, **{member.layer: (0, 0) for member in group.members}}
    changed = dict(widths)
    for member in group.members:
        reads, makes = changed[member.layer]
        changed[member.layer] = (reads - count, makes) if member.reads else (reads, makes - count)
    return changed


def search_macs(layers: tuple[Layer, ...], widths: Widths) -> int:
    """Multiply-accumulates of the search graph."""
    return sum(layer.macs(*widths[layer.name]) for layer in layers)


def weight_count(layers: tuple[Layer, ...], widths: Widths) -> int:
    """Weights and biases of all layers."""
    return sum(layer.weights(*widths[layer.name]) for layer in layers)


@torch.no_grad()
def graph_work(network: TrackerNetwork, model: str) -> dict[str, dict[str, int]]:
    """``macs`` and ``parameters`` of each graph, as an export of *network* counts them: norms are folded there."""
    template_px, search_px = spec(model).template_px, spec(model).search_px
    template, search = (torch.zeros(1, 3, side, side) for side in (template_px, search_px))
    work: dict[str, dict[str, int]] = {}
    kernels, work[TARGET] = _counted(network, lambda: network.template(template))
    features, work[SEARCH] = _counted(network, lambda: network.search(search))
    single = {name: kernel[0] for name, kernel in kernels.items()}
    _, work[XCORR] = _counted(network, lambda: network.correlate(features, single))
    return work


def _counted(network: TrackerNetwork, run: Callable[[], _Result]) -> tuple[_Result, dict[str, int]]:
    layers: set[str] = set()
    with _watched(network, lambda name, _inputs, _output: layers.add(name)), FlopCounterMode(display=False) as counter:
        result = run()
    modules = {name: network.get_submodule(name) for name in layers}
    convolutions = [module for module in modules.values() if isinstance(module, (nn.Conv2d, nn.Linear))]
    parameters = sum(_folded_weights(module) for module in convolutions)
    return result, {"macs": counter.get_total_flops() // 2, "parameters": parameters}


def _folded_weights(module: nn.Conv2d | nn.Linear) -> int:
    """Weights and a bias for each output: where a layer has none of its own, that of the norm behind it."""
    return module.weight.numel() + len(module.weight)


@contextmanager
def _watched(network: nn.Module, note: Note) -> Iterator[None]:
    """Within the block, *note* is called with the name of each layer that runs, what it reads and what it makes."""

    def noted(name: str, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        note(name, inputs[0], output)

    hooks = [
        module.register_forward_hook(partial(noted, name))
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
