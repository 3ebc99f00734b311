"""``python -m studies.openvino_ir``: LightTrack-Mobile's weights out of an OpenVINO model, as a checkpoint.

The authors' checkpoint is hard to come by, an OpenVINO model made from it is not: l-sf/LightTrack_openvino, exported
from researchmm/LightTrack (MIT, (c) 2021 Multimedia Research). Its constants stand in the order in which they are used.
Batch norms are folded there: they become identities here, with the folded bias, so the weights must not be trained like
this (``networks.lighttrack.norms.expand`` mends it).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor, nn

from networks.lighttrack.architecture import MOBILE, parse
from networks.lighttrack.network import LightTrack
from siamtrt import ArtifactError, cli
from siamtrt.files import whole_file

_SCORE_SCALE = 0.1  # multiplied into the last convolution of the scores there, not here


def main(options: argparse.Namespace) -> None:
    """Convert and print the path."""
    state = convert(options.ir)
    with whole_file(options.out) as temporary:
        torch.save(state, temporary)
    print(options.out)  # noqa: T201  the command's answer


def convert(folder: Path) -> dict[str, Tensor]:
    """The checkpoint in ``x_feature.{xml,bin}`` and ``head.{xml,bin}`` of *folder*.

    Raises:
        ArtifactError: a file is absent, or its constants are not those of LightTrack-Mobile.
    """
    network = LightTrack(parse(MOBILE))
    features, head = _constants(folder / "x_feature.xml"), _constants(folder / "head.xml")
    try:
        _fill(network.features, features)
        for norm in (network.neck.BN_z, network.neck.BN_x):
            _set(norm, "weight", next(head))
            _set(norm, "bias", next(head))
        for part in ("feature_fusor", "head.reg_tower", "head.reg_pred"):
            _fill(network.get_submodule(part), head)
        next(head)  # the scale of the boxes
        for part in ("head.cls_tower", "head.cls_perd"):
            _fill(network.get_submodule(part), head)
    except (StopIteration, RuntimeError) as error:
        raise ArtifactError(f"{folder} holds no LightTrack-Mobile: {error}") from error
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None:
            norm.running_var.fill_(1 - norm.eps)
    prediction = network.get_submodule("head.cls_perd.cls_pred")
    for parameter in prediction.parameters():
        parameter.data = parameter.data.float() / _SCORE_SCALE
    return network.state_dict()


def _fill(part: nn.Module, constants: Iterator[Tensor]) -> None:
    """Give the layers of *part* their weights, in the order they run; a norm takes the folded bias."""
    for layer in part.modules():
        if isinstance(layer, nn.Conv2d):
            _set(layer, "weight", next(constants))
        if isinstance(layer, nn.BatchNorm2d) or (isinstance(layer, nn.Conv2d) and layer.bias is not None):
            _set(layer, "bias", next(constants))


def _set(layer: nn.Module, name: str, value: Tensor) -> None:
    parameter = layer.get_parameter(name)
    parameter.data = value.reshape(parameter.shape)


def _constants(path: Path) -> Iterator[Tensor]:
    """The float16 constants of an OpenVINO model, in the order they are used."""
    try:
        layers = ElementTree.parse(path).getroot().iterfind("layers/layer[@type='Const']/data")
        weights = path.with_suffix(".bin").read_bytes()
    except (OSError, ElementTree.ParseError) as error:
        raise ArtifactError(f"cannot read the OpenVINO model {path}: {error}") from error
    for data in layers:
        if data.get("element_type") == "f16":
            start, size = int(data.get("offset", 0)), int(data.get("size", 0))
            yield torch.from_numpy(np.frombuffer(weights[start : start + size], np.float16).copy())


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.openvino_ir", "Read LightTrack-Mobile's weights out of an OpenVINO model.")
    arguments.add_argument("--ir", type=Path, required=True, help="folder with x_feature and head, xml and bin")
    arguments.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
