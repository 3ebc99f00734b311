"""A model with three exits of a few thousand weights, made with onnx alone, so that Python 3.8 can use it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from siamtrt import GraphCard, Manifest, ModelCard, TensorSpec
from siamtrt.card import ExitCard, SearchCard, StageCard, TrackerConstants
from tests.tiny import BRANCHES, CHANNELS, _conv, _save, _weights

STAGES = 3
SCORES = ("peak", "gate")
_PX, _SIDE, _CELLS = 255, 29, 25


def write_tiny_cascade(folder: Path, *, seed: int = 0, kernel_inputs: bool = False) -> ModelCard:
    """Write target, search_k and xcorr_k of three stages, model.json and manifest.json.

    A stage adds its own maps to those of the stages before. Exit k's ``peak`` is the largest probability of its map,
    its ``gate`` the mean one.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    template = TensorSpec("template", (1, 3, 127, 127))
    names = [f"kernel_{branch}{number}" for number in range(1, STAGES + 1) for branch in BRANCHES]
    kernels = {name: rng.random((CHANNELS, 1, 5, 5), dtype=np.float32) for name in names}
    specs = {name: TensorSpec(name, kernel.shape) for name, kernel in kernels.items()}
    graphs = [GraphCard("target", (template,), tuple(specs.values()), "target", 1)]
    stem = _weights(rng, (CHANNELS, 3, 8, 8), 1 / 255)
    _save(folder / "target.onnx", (template,), tuple(specs.values()), *_target(rng, stem, names))
    stages, before = [], TensorSpec("search", (1, 3, _PX, _PX))
    for number in range(1, STAGES + 1):
        own = tuple(specs[f"kernel_{branch}{number}"] for branch in BRANCHES)
        features = tuple(TensorSpec(f"feature_{branch}{number}", (1, CHANNELS, _SIDE, _SIDE)) for branch in BRANCHES)
        trunk = TensorSpec(f"trunk_{number}", (1, CHANNELS, 31, 31))
        outputs = (*features, *([trunk] if number < STAGES else []))
        _save(folder / f"search_{number}.onnx", (before,), outputs, *_search(rng, stem, number, before.name))
        graphs.append(GraphCard(f"search_{number}", (before,), outputs, "search", 1000 * number))
        inputs = (*features, *(_level(branch, at) for at in range(1, number) for branch in BRANCHES))
        inputs += own if kernel_inputs else ()
        outputs = tuple(TensorSpec(branch, _shape(branch)) for branch in BRANCHES)
        outputs += tuple(_level(branch, number) for branch in BRANCHES) if number < STAGES else ()
        outputs += (TensorSpec(f"exit_{number}", (1, len(SCORES))),)
        held = {} if kernel_inputs else {spec.name: kernels[spec.name] for spec in own}
        _save(folder / f"xcorr_{number}.onnx", inputs, outputs, *_xcorr(rng, number, held))
        graphs.append(GraphCard(f"xcorr_{number}", inputs, outputs, "xcorr", 100 * number))
        kernel_names = tuple(spec.name for spec in own)
        stages.append(
            StageCard(f"search_{number}", f"xcorr_{number}", kernel_names, ExitCard(f"exit_{number}", SCORES))
        )
        before = trunk
    card = ModelCard(
        name="tiny_exits",
        family="rpn",
        template_px=127,
        stride=8,
        anchor_ratios=(0.33, 0.5, 1.0, 2.0, 3.0),
        anchor_scales=(8.0,),
        tracker=TrackerConstants(0.05, 0.42, 0.38, source="test"),
        searches=(SearchCard(_PX, _CELLS, 0.42, tuple(stages)),),
        kernels=tuple(specs.values()),
        graphs=tuple(graphs),
        checkpoint_sha256="0" * 64,
        kernel_inputs=kernel_inputs,
    )
    card.save(folder)
    files = [*(f"{graph.name}.onnx" for graph in graphs), "model.json"]
    command = "python -m export --model tiny_exits --exits"
    Manifest.of(folder, files, stage="export", command=command, parents=[], settings={}, environment={}).save(folder)
    return card


def poison(engines: Path, names: list[str]) -> None:
    """Make every float weight of the graphs called *names* NaN, and declare the folder finished again."""
    for name in names:
        model = onnx.load(str(engines / f"{name}.onnx"))
        for weight in model.graph.initializer:
            if weight.data_type == TensorProto.FLOAT:
                broken = np.full(tuple(weight.dims), np.nan, np.float32)
                weight.CopyFrom(numpy_helper.from_array(broken, weight.name))
        (engines / f"{name}.onnx").write_bytes(model.SerializeToString())
    sealed(engines)


def sealed(engines: Path) -> None:
    """Write the manifest of a changed engine folder anew."""
    names = sorted(path.name for path in engines.glob("*") if path.name != "manifest.json")
    settings = {"backend": "onnxruntime", "precision": "fp32"}
    Manifest.of(engines, names, stage="engines", command="make", parents=[], settings=settings, environment={}).save(
        engines
    )


def _shape(branch):
    return (1, BRANCHES[branch], _CELLS, _CELLS)


def _level(branch, number):
    return TensorSpec(f"level_{branch}_{number}", _shape(branch))


def _target(rng, stem, names):
    weights = {"stem": stem}
    nodes = [_conv("template", "stem", "stemmed", stride=8), helper.make_node("Relu", ["stemmed"], ["active"])]
    for name in names:
        weights[f"{name}.weight"] = _weights(rng, (CHANNELS, CHANNELS, 11, 11), 0.05)
        nodes += [
            _conv("active", f"{name}.weight", f"{name}.raw"),
            helper.make_node("Relu", [f"{name}.raw"], [f"{name}.map"]),
            helper.make_node("Transpose", [f"{name}.map"], [name], perm=[1, 0, 2, 3]),
        ]
    return nodes, weights


def _search(rng, stem, number, before):
    trunk, last = f"trunk_{number}", number == STAGES
    weights = {"deeper": stem if number == 1 else _weights(rng, (CHANNELS, CHANNELS, 1, 1), 0.3)}
    nodes = [
        _conv(before, "deeper", "raw", stride=8 if number == 1 else 1),
        helper.make_node("Relu", ["raw"], ["inner" if last else trunk]),
    ]
    for branch in BRANCHES:
        weights[f"{branch}.weight"] = _weights(rng, (CHANNELS, CHANNELS, 3, 3), 0.2)
        nodes += [
            _conv("inner" if last else trunk, f"{branch}.weight", f"{branch}.raw"),
            helper.make_node("Relu", [f"{branch}.raw"], [f"feature_{branch}{number}"]),
        ]
    return nodes, weights


def _xcorr(rng, number, kernels):
    weights, nodes = dict(kernels), []
    for branch, width in BRANCHES.items():
        weights[f"{branch}.head"] = _weights(rng, (width, CHANNELS, 1, 1), 0.01)
        own = f"level_{branch}_{number}"
        nodes += [
            _conv(f"feature_{branch}{number}", f"kernel_{branch}{number}", f"correlation_{branch}", group=CHANNELS),
            _conv(f"correlation_{branch}", f"{branch}.head", own),
        ]
        nodes.append(helper.make_node("Sum", [*(f"level_{branch}_{at}" for at in range(1, number)), own], [branch]))
    nodes += [
        helper.make_node("Split", ["cls"], ["background", "foreground"], axis=1),
        helper.make_node("Sub", ["foreground", "background"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
        helper.make_node("ReduceMax", ["probability"], ["peak"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["probability"], ["gate"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["peak", "axis"], ["peak.row"]),
        helper.make_node("Unsqueeze", ["gate", "axis"], ["gate.row"]),
        helper.make_node("Concat", ["peak.row", "gate.row"], [f"exit_{number}"], axis=1),
    ]
    for node in nodes:
        node.name = node.name or node.output[0]
    weights["axis"] = np.array([1], np.int64)
    return nodes, weights
