"""Supernets: the weights of many LightTracks in one, each network a path that takes its share of them.

A member runs as an ordinary :class:`LightTrack` over tensors that are parts of the supernet's, so gradients reach the
shared weights, and a member that is taken out for good is a checkpoint like any other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.func import functional_call

from networks.lighttrack.architecture import (
    CHOICES,
    STAGE_STRIDES,
    STAGE_WIDTHS,
    STEM_WIDTH,
    TOWER_KERNELS,
    TOWER_LAYERS,
    TOWER_WIDTHS,
    Architecture,
    Block,
    Tower,
)
from networks.lighttrack.network import (
    JOINED_WIDTH,
    Boxes,
    FeatureFusor,
    FirstBlock,
    InvertedResidual,
    LightTrack,
    Neck,
    Normalise,
    Scores,
    TowerLayer,
)

_COUNTER = "num_batches_tracked"
_DEPTHS = (2, 4, 4, 4)
_TEMPLATE_CELLS = 64


class Supernet(nn.Module, ABC):
    """What the trainer and the search know of a supernet."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()

    @abstractmethod
    def weights_of(self, architecture: Architecture) -> dict[str, Tensor]:
        """Parameters and statistics of a member, under the keys of :class:`LightTrack`; parts of this module's own."""

    def forward(self, template: Tensor, search: Tensor, architecture: Architecture) -> tuple[Tensor, Tensor]:
        """The maps of a member for a batch. In training its norms take the batch's statistics, and none are kept."""
        skeleton = _skeleton(architecture).train(self.training)
        weights = {key: tensor.clone() if _is_statistic(key) else tensor for key, tensor in self._tensors(architecture)}
        return functional_call(skeleton, weights, (template, search))  # type: ignore[no-any-return]

    def member(self, architecture: Architecture) -> LightTrack:
        """A copy of a member, a network of its own, in evaluation mode."""
        network = LightTrack(architecture)
        weights = {key: tensor.detach().clone() for key, tensor in self.weights_of(architecture).items()}
        network.load_state_dict(weights, strict=False)  # all but the counts of batches
        return network.to(next(self.parameters()).device).eval()

    def _tensors(self, architecture: Architecture) -> list[tuple[str, Tensor]]:
        constants = self.normalise.named_buffers(prefix="normalise")
        return [*self.weights_of(architecture).items(), *constants]


class ElasticSupernet(Supernet):
    """A trained network and all that it can shrink to: leading channels, middles of kernels, leading layers.

    Its state is a checkpoint of its largest member (a leading ``module.`` is dropped when checkpoints are read).

    Args:
        network: taken over. Before a first training its channels should be sorted, see :func:`sort_channels`.
    """

    def __init__(self, network: LightTrack) -> None:
        super().__init__()
        self.module = network

    def weights_of(self, architecture: Architecture) -> dict[str, Tensor]:
        """Each tensor cut to the member's shape."""
        own = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        shapes = {key: tensor.shape for key, tensor in _skeleton(architecture).state_dict().items()}
        return {key: _cut(own[key], shape) for key, shape in shapes.items() if not key.endswith(_COUNTER)}


class WholeSupernet(Supernet):
    """The space of the paper at stride 16: every choice of every block and layer has weights of its own.

    Each width of a tower has its own layers. Training it is work for machines with GPUs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = nn.Conv2d(3, STEM_WIDTH, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_WIDTH)
        self.first = FirstBlock(STEM_WIDTH)
        self.choices = nn.ModuleDict()
        inputs = STEM_WIDTH
        for stage, (depth, outputs, stride) in enumerate(zip(_DEPTHS, STAGE_WIDTHS, STAGE_STRIDES, strict=True)):
            for place in range(depth):
                for digit, (kernel, expansion) in enumerate(CHOICES):
                    block = Block(inputs, outputs, kernel, expansion, stride if place == 0 else 1)
                    self.choices[f"{stage}_{place}_{digit}"] = InvertedResidual(block)
                inputs = outputs
        self.necks = nn.ModuleDict({str(width): Neck(width) for width in STAGE_WIDTHS[2:]})
        self.feature_fusor = FeatureFusor(_TEMPLATE_CELLS)
        self.layers, self.predictions = nn.ModuleDict(), nn.ModuleDict()
        for branch, prediction in (("cls", Scores), ("reg", Boxes)):
            for width in TOWER_WIDTHS:
                self.predictions[f"{branch}_{width}"] = prediction(width)
                for place in range(TOWER_LAYERS):
                    for kernel in TOWER_KERNELS:
                        layer = TowerLayer(width if place else JOINED_WIDTH, width, kernel)
                        self.layers[f"{branch}_{width}_{place}_{kernel}"] = layer

    def weights_of(self, architecture: Architecture) -> dict[str, Tensor]:
        """The weights of the chosen parts, whole."""
        parts: dict[str, nn.Module] = {
            "features.conv_stem": self.conv_stem,
            "features.bn1": self.bn1,
            "features.blocks.0.0": self.first,
            "neck": self.necks[str(architecture.channels)],
            "feature_fusor": self.feature_fusor,
            "head.cls_perd": self.predictions[f"cls_{architecture.cls.width}"],
            "head.reg_pred": self.predictions[f"reg_{architecture.reg.width}"],
        }
        for stage, digits in enumerate(architecture.stages):
            for place, digit in enumerate(digits):
                parts[f"features.blocks.{stage + 1}.{place}"] = self.choices[f"{stage}_{place}_{digit}"]
        for branch, tower in (("cls", architecture.cls), ("reg", architecture.reg)):
            parts.update(self._tower(branch, tower))
        return {
            f"{prefix}.{key}": tensor
            for prefix, part in parts.items()
            for key, tensor in (*part.named_parameters(), *part.named_buffers())
            if not key.endswith(_COUNTER)
        }

    def _tower(self, branch: str, tower: Tower) -> dict[str, nn.Module]:
        return {
            f"head.{branch}_tower.{place}": self.layers[f"{branch}_{tower.width}_{place}_{kernel}"]
            for place, kernel in enumerate(tower.kernels)
        }


def _skeleton(architecture: Architecture) -> LightTrack:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return LightTrack(architecture)


def _is_statistic(key: str) -> bool:
    return key.endswith(("running_mean", "running_var"))


def _cut(tensor: Tensor, shape: torch.Size) -> Tensor:
    """Leading channels and the middle of the kernel."""
    for axis, size in enumerate(shape):
        start = (tensor.shape[axis] - size) // 2 if axis > 1 else 0
        tensor = tensor.narrow(axis, start, size)
    return tensor


def sort_channels(network: LightTrack) -> None:
    """Put the channels inside the blocks of *network*, in place, in the order of their importance.

    It computes the same as before, but what is cut off first is what matters least. A trained supernet must not be
    sorted again: its members were trained on the channels that lead.
    """
    for block in network.modules():
        if isinstance(block, InvertedResidual):
            _sort_channels(block)


@torch.no_grad()
def _sort_channels(block: InvertedResidual) -> None:
    """Put the channels inside a block, in place, in the order of what leaves them; the block computes the same."""
    scale = block.bn2.weight / torch.sqrt(_variance(block.bn2) + block.bn2.eps)
    hidden = (block.conv_pwl.weight.abs().sum((0, 2, 3)) * scale.abs()).argsort(descending=True, stable=True)
    inner = block.se.conv_expand.weight.abs().sum((0, 2, 3)).argsort(descending=True, stable=True)
    for layer in (block.conv_pw, block.bn1, block.conv_dw, block.bn2, block.se.conv_expand):
        _permute(layer, hidden, axis=0)
    for layer in (block.se.conv_reduce, block.conv_pwl):
        _permute(layer, hidden, axis=1)
    _permute(block.se.conv_reduce, inner, axis=0)
    _permute(block.se.conv_expand, inner, axis=1)


def _permute(layer: nn.Module, order: Tensor, axis: int) -> None:
    for name, tensor in layer.state_dict(keep_vars=True).items():
        if tensor.dim() > axis and (axis == 0 or name == "weight"):
            tensor.copy_(tensor.detach().index_select(axis, order))


def _variance(norm: nn.BatchNorm2d) -> Tensor:
    assert norm.running_var is not None  # these norms track their statistics
    return norm.running_var
