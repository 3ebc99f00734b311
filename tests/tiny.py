"""A SiamRPN-like model of a few thousand weights, made with onnx alone, so that Python 3.8 can use it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from siamtrt import GraphCard, Manifest, ModelCard, TensorSpec
from siamtrt.card import LostRule, SearchCard, StageCard, TrackerConstants

CHANNELS = 8
BRANCHES = {"cls": 10, "loc": 20}
POINT_BRANCHES = {"cls": 2, "loc": 4}
LOST_PX, LOST_SCORE_SIZE = 383, 41
LOST_SCORES = (0.7, 0.9)  # crossed both ways by the clip of the tests of TensorRT


def write_tiny_model(
    folder: Path, *, seed: int = 0, kernel_inputs: bool = False, lost: bool = False, points: bool = False
) -> ModelCard:
    """Write target.onnx, search.onnx, xcorr.onnx, model.json and manifest.json.

    Args:
        folder: to write into.
        seed: of the weights.
        kernel_inputs: the kernels are inputs of xcorr.
        lost: a long-term model, with search_lost.onnx and xcorr_lost.onnx of the same weights.
        points: of the family ``ban`` instead of ``rpn``.
    """
    rng = np.random.default_rng(seed)
    stem = _weights(rng, (CHANNELS, 3, 8, 8), 1 / 255)
    kernels = {f"kernel_{branch}": rng.random((CHANNELS, 1, 5, 5), dtype=np.float32) for branch in BRANCHES}
    template = TensorSpec("template", (1, 3, 127, 127))
    kernel_specs = tuple(TensorSpec(name, kernel.shape) for name, kernel in kernels.items())
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / "target.onnx", (template,), kernel_specs, *_target(rng, stem))
    graphs = [GraphCard("target", (template,), kernel_specs, "target")]
    searches = []
    widths = POINT_BRANCHES if points else BRANCHES
    searching, correlating = _search(rng, stem), _xcorr(rng, {} if kernel_inputs else kernels, widths)
    for suffix, size_px, score_size in [("", 255, 25), ("_lost", LOST_PX, LOST_SCORE_SIZE)][: 1 + lost]:
        search = TensorSpec("search", (1, 3, size_px, size_px))
        side = score_size + 4
        features = tuple(TensorSpec(f"feature_{branch}", (1, CHANNELS, side, side)) for branch in BRANCHES)
        xcorr_inputs = features + (kernel_specs if kernel_inputs else ())
        maps = tuple(TensorSpec(branch, (1, width, score_size, score_size)) for branch, width in widths.items())
        _save(folder / f"search{suffix}.onnx", (search,), features, *searching)
        _save(folder / f"xcorr{suffix}.onnx", xcorr_inputs, maps, *correlating)
        graphs += [
            GraphCard(f"search{suffix}", (search,), features, "search"),
            GraphCard(f"xcorr{suffix}", xcorr_inputs, maps, "xcorr"),
        ]
        stage = StageCard(f"search{suffix}", f"xcorr{suffix}", tuple(kernels))
        influence, rule = (0.001, LostRule(*LOST_SCORES)) if suffix else (0.42, None)
        searches.append(SearchCard(size_px, score_size, influence, (stage,), rule))
    card = ModelCard(
        name="tiny",
        family="ban" if points else "rpn",
        template_px=127,
        stride=8,
        anchor_ratios=() if points else (0.33, 0.5, 1.0, 2.0, 3.0),
        anchor_scales=() if points else (8.0,),
        tracker=TrackerConstants(0.05, 0.42, 0.38, source="test"),
        searches=tuple(searches),
        kernels=kernel_specs,
        graphs=tuple(graphs),
        checkpoint_sha256="0" * 64,
        kernel_inputs=kernel_inputs,
    )
    card.save(folder)
    names = [*(f"{graph.name}.onnx" for graph in graphs), "model.json"]
    command = "python -m export --model tiny"
    Manifest.of(folder, names, stage="export", command=command, parents=[], settings={}, environment={}).save(folder)
    return card


def _target(rng, stem):
    weights = {"stem": stem}
    nodes = [_conv("template", "stem", "stemmed", stride=8), helper.make_node("Relu", ["stemmed"], ["active"])]
    for branch in BRANCHES:
        weights[f"{branch}.weight"] = _weights(rng, (CHANNELS, CHANNELS, 11, 11), 0.05)
        nodes += [
            _conv("active", f"{branch}.weight", f"{branch}.raw"),
            helper.make_node("Relu", [f"{branch}.raw"], [f"{branch}.kernel"]),
            helper.make_node("Transpose", [f"{branch}.kernel"], [f"kernel_{branch}"], perm=[1, 0, 2, 3]),
        ]
    return nodes, weights


def _search(rng, stem):
    weights = {"stem": stem}
    nodes = [_conv("search", "stem", "stemmed", stride=8), helper.make_node("Relu", ["stemmed"], ["active"])]
    for branch in BRANCHES:
        weights[f"{branch}.weight"] = _weights(rng, (CHANNELS, CHANNELS, 3, 3), 0.2)
        nodes += [
            _conv("active", f"{branch}.weight", f"{branch}.raw"),
            helper.make_node("Relu", [f"{branch}.raw"], [f"feature_{branch}"]),
        ]
    return nodes, weights


def _xcorr(rng, kernels, widths):
    weights, nodes = dict(kernels), []
    for branch, width in widths.items():
        weights[f"{branch}.head"] = _weights(rng, (width, CHANNELS, 1, 1), 0.01)
        nodes += [
            _conv(f"feature_{branch}", f"kernel_{branch}", f"correlation_{branch}", group=CHANNELS),
            _conv(f"correlation_{branch}", f"{branch}.head", branch),
        ]
    return nodes, weights


def _conv(source, weight, out, *, stride=1, group=1):
    return helper.make_node("Conv", [source, weight], [out], name=out, strides=[stride, stride], group=group)


def _weights(rng, shape, scale):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def _save(path, inputs, outputs, nodes, weights):
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape) for spec in inputs],
        [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape) for spec in outputs],
        [numpy_helper.from_array(weight, name) for name, weight in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
