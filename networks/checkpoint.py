"""Load a checkpoint into a network: nothing in the file is executed, and every missing or unknown key is reported."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from networks.exits import PREFIX, with_exits
from networks.genotype import parse as parse_cell
from networks.lighttrack.architecture import architecture_of, parse
from networks.models import MODELS, build, spec
from networks.tracker import TrackerNetwork
from siamtrt import ArtifactError, UsageError

_SHOWN_KEYS = 3
# Numpy numbers (an epoch, a best score) lie beside the weights in many published files. They hold data, not code.
_SAFE_GLOBALS: list[Any] = [
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int32", "int64")),
]
# Damaged bytes raise whatever the reader stumbles over; it has no error of its own for them.
_DAMAGED = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError),
    *(RuntimeError, TypeError, ValueError, pickle.UnpicklingError, struct.error, zipfile.BadZipFile),
)


def load(name: str, path: Path) -> TrackerNetwork:
    """Make the model called *name* with the weights of a checkpoint file.

    Args:
        name: a key of ``networks.models.MODELS``.
        path: a bare state dict or a dict with one under ``state_dict``; keys may carry a ``module.`` prefix; weights of
            any floating type become float32. A string under ``architecture`` has to mean the network of the weights.

    Returns:
        The network in evaluation mode, as wide and deep as the checkpoint, with exits where it has them.

    Raises:
        UsageError: unknown name.
        ArtifactError: the file is absent or no checkpoint, or its keys or shapes are not the model's; the message names
            the first of them and the model they would fit. Or its network has another stride than the model.
    """
    content = _content(path)
    state = _state(content, path)
    published = _published(name)
    plain = {key: tensor for key, tensor in state.items() if not key.startswith(PREFIX)}
    fitting = name if _shapes(plain) == published else _fitting_model(plain)
    if fitting not in (name, None):  # two models may differ in nothing but widths, which would be taken on below
        raise _misfit(path, name, _difference(plain, published), f"MODEL={fitting}")
    _require_stride(plain, name, path)
    network = build(name, plain)
    if len(plain) < len(state):
        network = with_exits(network, state)
    difference = _difference(state, _shapes(network.state_dict()))
    if difference:
        raise _misfit(path, name, difference, "see README.md for the models and their checkpoints")
    network.load_state_dict(dict(state), strict=False)
    _require_named(network, content.get("architecture"), path)
    _require_consistent(network, name, path)
    return network.eval()


def read_state(path: Path, under: tuple[str, ...] = ("state_dict",)) -> dict[str, Tensor]:
    """Read the named tensors of a checkpoint, without running code from it.

    Args:
        path: of the file.
        under: the key that the tensors lie under, the first of these that the file has; without any they lie bare.

    Raises:
        ArtifactError: the file is absent, damaged, no checkpoint, would need code to be run, or a tensor is not finite.
    """
    return _state(_content(path), path, under)


def _content(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise ArtifactError(f"no such checkpoint: {path}", hint="CHECKPOINT=FILE, see README.md")
    try:
        with torch.serialization.safe_globals(_SAFE_GLOBALS), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the age of the file's format
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise ArtifactError(f"{path} is not a readable checkpoint: {_reason(error)}") from error
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict", content), Mapping):
        raise ArtifactError(f"{path} holds a {type(content).__name__}, not a dict of tensors")
    return content


def _state(content: Mapping[str, Any], path: Path, under: tuple[str, ...] = ("state_dict",)) -> dict[str, Tensor]:
    tables = (content[key] for key in under if isinstance(content.get(key), Mapping))
    state = {
        str(key).removeprefix("module."): tensor.float() if tensor.is_floating_point() else tensor
        for key, tensor in next(tables, content).items()
        if isinstance(tensor, Tensor) and not str(key).endswith("num_batches_tracked")
    }
    if not state:
        raise ArtifactError(f"{path} holds no tensor")
    broken = next((key for key, tensor in state.items() if not tensor.isfinite().all()), None)
    if broken:
        raise ArtifactError(f"{path}: {broken} holds NaN or infinity", hint="a checkpoint of an earlier epoch")
    return state


def _reason(error: BaseException) -> str:
    """The fact in torch's message; its advice to run the file's code is left out."""
    text = str(error)
    fact = re.search(r"WeightsUnpickler error:\s*(.*?)(?:\. Please use|$)", text, re.MULTILINE)
    return fact.group(1) if fact else next(iter(text.splitlines()), type(error).__name__)


def _published(name: str) -> dict[str, torch.Size]:
    """The shapes of the model as published, without spending memory on its weights."""
    with torch.device("meta"):
        return _shapes(build(name).state_dict())


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in state.items() if not key.endswith("num_batches_tracked")}


def _fitting_model(state: Mapping[str, Tensor]) -> str | None:
    """The model whose keys and shapes *state* has."""
    shapes = _shapes(state)
    return next((name for name in MODELS if _published(name) == shapes), None)


def _difference(state: Mapping[str, Tensor], wanted: Mapping[str, torch.Size]) -> str:
    """The first keys that are missing, unknown or of another shape, or nothing."""
    missing = [key for key in wanted if key not in state]
    unknown = [key for key in state if key not in wanted]
    parts = [
        f"{label} {', '.join(keys[:_SHOWN_KEYS])}{f' and {len(keys) - _SHOWN_KEYS} more' * (len(keys) > _SHOWN_KEYS)}"
        for label, keys in (("missing", missing), ("unknown", unknown))
        if keys
    ]
    parts += [
        f"{key} has the shape {tuple(state[key].shape)}, expected {tuple(shape)}"
        for key, shape in wanted.items()
        if key in state and state[key].shape != shape
    ][:_SHOWN_KEYS]
    return "; ".join(parts)


def _misfit(path: Path, name: str, difference: str, hint: str) -> ArtifactError:
    return ArtifactError(f"{path} is no checkpoint of {name}: {difference}", hint=hint)


def _require_named(network: TrackerNetwork, stored: object, path: Path) -> None:
    """Where a checkpoint says which network of a search space it is, that is the one its weights are."""
    if network.architecture is None or not isinstance(stored, str):
        return
    try:
        named = str(parse_cell(stored) if stored.startswith("cell") else parse(stored))
    except UsageError as error:
        raise ArtifactError(f"{path}: its architecture is none: {error.problem}", hint=error.hint) from error
    if named != network.architecture:
        raise ArtifactError(f"{path} calls itself {named}, but its weights are those of {network.architecture}")


def _require_stride(state: Mapping[str, Tensor], name: str, path: Path) -> None:
    """A tracker places boxes by the model's stride: maps of another one would be read as boxes elsewhere."""
    architecture = architecture_of(state)
    if architecture is not None and architecture.stride != spec(name).stride:
        raise ArtifactError(
            f"{path} is a network of stride {architecture.stride}, {name} tracks with stride {spec(name).stride}:"
            f" {architecture}",
            hint="a network whose output is of stage 2 or 3, as ..._ops_20",
        )


def _require_consistent(network: TrackerNetwork, name: str, path: Path) -> None:
    """Run the shapes through the network: widths that were taken from the file may contradict each other."""
    entered: list[str] = []
    hooks = [
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: entered.append(name))
        for name, module in network.named_modules()
        if not list(module.children())
    ]
    try:
        with torch.no_grad():
            network.eval()(*(torch.zeros(1, 3, side, side) for side in (spec(name).template_px, spec(name).search_px)))
    except RuntimeError as error:
        where = entered[-1] if entered else "the first layer"
        raise ArtifactError(f"{path}: the width of {where}.weight does not fit the layer before it: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()
