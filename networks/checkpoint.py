"""Checkpoints into networks: nothing in the file is executed, and no key is missing or left over unsaid."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from networks.models import MODELS, build
from networks.tracker import TrackerNetwork
from siamtrt import ArtifactError

_SHOWN_KEYS = 3
# Numpy numbers (an epoch, a best score) lie beside the weights in many published files. They hold data, not code.
_SAFE_GLOBALS: list[Any] = [
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int32", "int64")),
]


def load(name: str, path: Path) -> TrackerNetwork:
    """Make the model called *name* with the weights of a checkpoint file.

    Args:
        name: a key of ``networks.models.MODELS``.
        path: a bare state dict or a dict with one under ``state_dict``; keys may carry a ``module.`` prefix; weights of
            any floating type become float32.

    Returns:
        The network in evaluation mode, as wide and deep as the checkpoint.

    Raises:
        UsageError: unknown name.
        ArtifactError: the file is absent or no checkpoint, or its keys or shapes are not the model's; the message names
            the first of them and the model they would fit.
    """
    state = read_state(path)
    network = build(name)
    difference = _difference(state, network)
    if difference and not set(_keys(network)) & set(state):
        prefixed = {f"features.{key}": tensor for key, tensor in state.items()}
        if not _difference(prefixed, network):
            state, difference = prefixed, ""
    if difference:
        network, difference = _rebuilt(name, state, difference)
    if difference:
        fitting = _fitting_model(state)
        hint = f"MODEL={fitting}" if fitting else "see README.md for the models and their checkpoints"
        raise ArtifactError(f"{path} is no checkpoint of {name}: {difference}", hint=hint)
    network = build(name, state)
    _load_exactly(network, state, path)
    return network.eval()


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a checkpoint, without running code from it.

    Raises:
        ArtifactError: the file is absent, truncated, no checkpoint, or would need code to be run.
    """
    if not path.is_file():
        raise ArtifactError(f"no such checkpoint: {path}", hint="CHECKPOINT=FILE, see README.md")
    try:
        with torch.serialization.safe_globals(_SAFE_GLOBALS), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the age of the file's format
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(f"{path} is not a readable checkpoint: {reason}") from error
    inner = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(inner, Mapping):
        raise ArtifactError(f"{path} holds a {type(content).__name__}, not a dict of tensors")
    state = {
        str(key).removeprefix("module."): tensor.float() if tensor.is_floating_point() else tensor
        for key, tensor in inner.items()
        if isinstance(tensor, Tensor) and not str(key).endswith("num_batches_tracked")
    }
    if not state:
        raise ArtifactError(f"{path} holds no tensor")
    return state


def _rebuilt(name: str, state: Mapping[str, Tensor], difference: str) -> tuple[TrackerNetwork, str]:
    """Compare once more with a network as deep as the checkpoint."""
    network = build(name, state)
    remaining = _difference(state, network)
    return network, remaining and difference


def _keys(network: TrackerNetwork) -> list[str]:
    return [key for key in network.state_dict() if not key.endswith("num_batches_tracked")]


def _difference(state: Mapping[str, Tensor], network: TrackerNetwork) -> str:
    own = _keys(network)
    missing = [key for key in own if key not in state]
    extra = [key for key in state if key not in set(own)]
    parts = [
        f"{label} {', '.join(keys[:_SHOWN_KEYS])}{f' and {len(keys) - _SHOWN_KEYS} more' * (len(keys) > _SHOWN_KEYS)}"
        for label, keys in (("missing", missing), ("unknown", extra))
        if keys
    ]
    return "; ".join(parts)


def _fitting_model(state: Mapping[str, Tensor]) -> str | None:
    """The model whose keys and shapes *state* has."""
    for name in MODELS:
        own = build(name).state_dict()
        keys = {key for key in own if not key.endswith("num_batches_tracked")}
        if keys == set(state) and all(own[key].shape == state[key].shape for key in keys):
            return name
    return None


def _load_exactly(network: TrackerNetwork, state: Mapping[str, Tensor], path: Path) -> None:
    own = network.state_dict()
    for key, tensor in state.items():
        if own[key].shape != tensor.shape:
            raise ArtifactError(
                f"{path}: {key} has the shape {tuple(tensor.shape)}, its layer {tuple(own[key].shape)}",
                hint=f"MODEL={_fitting_model(state)}" if _fitting_model(state) else "",
            )
    network.load_state_dict(dict(state), strict=False)
    _require_consistent(network, path)


def _require_consistent(network: TrackerNetwork, path: Path) -> None:
    """Run the shapes through the network: widths that were taken from the file may contradict each other."""
    entered: list[str] = []
    hooks = [
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: entered.append(name))
        for name, module in network.named_modules()
        if not list(module.children())
    ]
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255))
    except RuntimeError as error:
        where = entered[-1] if entered else "the first layer"
        raise ArtifactError(f"{path}: the width of {where}.weight does not fit the layer before it: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()
