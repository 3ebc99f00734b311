"""The three graphs of a network as torch modules with named inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from onnx import ModelProto
from torch import Tensor, nn

from networks.tracker import TrackerNetwork
from siamtrt import GraphCard, TensorSpec
from siamtrt.card import SEARCH, TARGET, XCORR
from siamtrt.work import macs, parameters

LOST_SUFFIX = "_lost"  # of the graphs that search for a lost target


@dataclass(frozen=True)
class TracedGraph:
    """A module that takes and returns tensors in a fixed order, and the names that the ONNX graph gives them.

    Attributes:
        name: of the graph.
        role: one of ``siamtrt.card.ROLES``.
        module: in evaluation mode.
        inputs: name -> example tensor.
        outputs: name -> what the module has to return for these examples.
    """

    name: str
    role: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

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


class _Xcorr(nn.Module):
    """With its kernels as parameters, so that they become initializers of their names."""

    def __init__(self, network: TrackerNetwork, features: tuple[str, ...], kernels: dict[str, Tensor]) -> None:
        super().__init__()
        self.network, self._features, self._kernels = network, features, tuple(kernels)
        for name, kernel in kernels.items():
            self.register_parameter(name, nn.Parameter(kernel))

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        kernels = {name: getattr(self, name) for name in self._kernels}
        return self.network.correlate(dict(zip(self._features, features, strict=True)), kernels)


class _XcorrOfInputs(nn.Module):
    """With its kernels as inputs, after the features."""

    def __init__(self, network: TrackerNetwork, features: tuple[str, ...], kernels: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self._features, self._kernels = network, features, kernels

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        count = len(self._features)
        features = dict(zip(self._features, tensors[:count], strict=True))
        return self.network.correlate(features, dict(zip(self._kernels, tensors[count:], strict=True)))


@torch.no_grad()
def trace(
    network: TrackerNetwork, template: Tensor, search: Tensor, *, suffix: str = "", kernel_inputs: bool = False
) -> list[TracedGraph]:
    """Split a network.

    Args:
        network: in evaluation mode.
        template: 1x3x127x127, the reference template whose kernels the xcorr graph holds.
        search: 1x3xSxS.
        suffix: of the names of search and xcorr, e.g. ``LOST_SUFFIX``.
        kernel_inputs: make the kernels inputs of the xcorr graph.

    Returns:
        target, search and xcorr.
    """
    kernels = {name: kernel[0] for name, kernel in network.template(template).items()}
    features = network.search(search)
    cls, loc = network.correlate(features, kernels)
    maps = {"cls": cls, "loc": loc}
    names = tuple(features)
    xcorr: nn.Module
    if kernel_inputs:
        xcorr, inputs = _XcorrOfInputs(network, names, tuple(kernels)), {**features, **kernels}
    else:
        xcorr, inputs = _Xcorr(network, names, kernels), features
    return [
        TracedGraph(TARGET, TARGET, _Target(network).eval(), {"template": template}, kernels),
        TracedGraph(f"{SEARCH}{suffix}", SEARCH, _Search(network).eval(), {"search": search}, features),
        TracedGraph(f"{XCORR}{suffix}", XCORR, xcorr.eval(), inputs, maps),
    ]


def _specs(tensors: dict[str, Tensor]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, tuple(tensor.shape)) for name, tensor in tensors.items())
