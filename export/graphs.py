"""The graphs of a network as torch modules with named inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from onnx import ModelProto
from torch import Tensor, nn

from networks.texture import smooth_noise
from networks.tracker import TrackerNetwork
from siamtrt import GraphCard, TensorSpec
from siamtrt.card import SEARCH, TARGET, XCORR
from siamtrt.work import macs, parameters

_SEED = 2018


@dataclass(frozen=True)
class TracedGraph:
    """A module that takes and returns tensors in a fixed order, and the names that the ONNX graph gives them.

    Attributes:
        name: of the graph.
        role: one of ``siamtrt.card.ROLES``.
        module: in evaluation mode.
        inputs: name -> example tensor.
        outputs: name -> what the module has to return for these examples.
        rescaled: outputs in whose scale folding has a say; all others stay what the network put out before.
        scores: outputs from 0 to 1, however little they vary in these examples.
    """

    name: str
    role: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    rescaled: frozenset[str] = frozenset()
    scores: frozenset[str] = frozenset()

    def card(self, exported: ModelProto) -> GraphCard:
        """Names, shapes and work, for the model card."""
        kernels = dict(self.module.named_parameters(recurse=False))
        return GraphCard(
            self.name,
            _specs(self.inputs),
            _specs(self.outputs),
            self.role,
            macs(exported),
            parameters(exported, kernels),
        )


class _Target(nn.Module):
    def __init__(self, network: TrackerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, template: Tensor) -> tuple[Tensor, ...]:
        return tuple(kernel[0] for kernel in self.network.template(template).values())


class _Search(nn.Module):
    def __init__(self, network: TrackerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, search: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.search(search).values())


class XcorrGraph(nn.Module):
    """A graph that correlates: kernels that are no inputs are parameters, hence initializers of their names.

    Args:
        inputs: names of its inputs, in order.
        kernels: of the reference template.
    """

    def __init__(self, inputs: tuple[str, ...], kernels: dict[str, Tensor]) -> None:
        super().__init__()
        self._inputs, self._kernels = inputs, tuple(kernels)
        for name in (name for name in kernels if name not in inputs):
            self.register_parameter(name, nn.Parameter(kernels[name]))

    def sorted(self, tensors: tuple[Tensor, ...]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The inputs by name, and the kernels by name."""
        given = dict(zip(self._inputs, tensors, strict=True))
        return given, {name: given[name] if name in given else getattr(self, name) for name in self._kernels}


class _Xcorr(XcorrGraph):
    def __init__(self, network: TrackerNetwork, inputs: tuple[str, ...], kernels: dict[str, Tensor]) -> None:
        super().__init__(inputs, kernels)
        self.network = network

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.correlate(*self.sorted(tensors))


@torch.no_grad()
def trace(
    network: TrackerNetwork, template_px: int, sizes: Mapping[str, int], *, kernel_inputs: bool = False
) -> dict[str, TracedGraph]:
    """Split a network, on reference crops.

    Args:
        network: in evaluation mode.
        template_px: side of the template, whose kernels the xcorr graphs hold.
        sizes: suffix of the names of search and xcorr -> side of the search crop.
        kernel_inputs: make the kernels inputs of the xcorr graphs.

    Returns:
        By name: target, then search and xcorr of each size.
    """
    target = target_graph(network, reference_crop(template_px))
    graphs, kernels = [target], target.outputs
    for suffix, search_px in sizes.items():
        search = reference_crop(search_px)
        features = network.search(search)
        maps = dict(zip(("cls", "loc"), network.correlate(features, kernels), strict=True))
        inputs = {**features, **kernels} if kernel_inputs else features
        xcorr = _Xcorr(network, tuple(inputs), kernels)
        graphs.append(TracedGraph(f"{SEARCH}{suffix}", SEARCH, _Search(network).eval(), {"search": search}, features))
        graphs.append(TracedGraph(f"{XCORR}{suffix}", XCORR, xcorr.eval(), inputs, maps))
    return {graph.name: graph for graph in graphs}


def target_graph(network: TrackerNetwork, template: Tensor) -> TracedGraph:
    """The graph that makes kernels of a template, on the crop *template*."""
    kernels = {name: kernel[0] for name, kernel in network.template(template).items()}
    return TracedGraph(TARGET, TARGET, _Target(network).eval(), {"template": template}, kernels)


def reference_crop(side_px: int) -> Tensor:
    """A textured crop that parity is measured on: 1x3xSxS float32, whole numbers from 0 to 255, always the same."""
    return smooth_noise(side_px, seed=_SEED + side_px)


def _specs(tensors: dict[str, Tensor]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, tuple(tensor.shape)) for name, tensor in tensors.items())
