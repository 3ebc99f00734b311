"""``python -m studies.openvino_layers``: where ONNX Runtime and OpenVINO spend a frame of LightTrack-Mobile.

Each fuses and names layers in its own way, so their times are summed by kind: ours from the report of ``python -m
benchmarks layers``, OpenVINO's from its own counters, both on one thread. Needs the package ``openvino``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import onnx

from benchmarks.profiling.layers.layer_report import LayerReport, original_name
from siamtrt import cli
from studies.openvino_speed import add_folders, compiled, inputs

POINTWISE, DEPTHWISE, OTHER, REST = "1x1 convolutions", "depthwise", "other convolutions", "everything else"


def main(options: argparse.Namespace) -> None:
    """Print the milliseconds of each kind in both."""
    ours, theirs = of_report(LayerReport.load(options.layers), options.onnx), _of_openvino(options.ir, options.rounds)
    print(f"{'':20} ONNX Runtime  OpenVINO")  # noqa: T201
    for kind in (POINTWISE, DEPTHWISE, OTHER, REST):
        print(f"{kind:20} {ours[kind]:9.2f} ms {theirs[kind]:6.2f} ms")  # noqa: T201


def of_report(report: LayerReport, folder: Path) -> dict[str, float]:
    """Milliseconds of search and xcorr by kind; the weights of the exported graphs in *folder* tell the kind."""
    kinds = {name: kind for graph in ("search", "xcorr") for name, kind in _kinds(folder / f"{graph}.onnx").items()}
    times = dict.fromkeys((POINTWISE, DEPTHWISE, OTHER, REST), 0.0)
    for layer in report.layers:
        if layer.graph != "target":
            name = original_name(layer.name).split("/")[0] if layer.macs else ""
            times[kinds.get(name, REST)] += layer.ms_p50
    return times


def _kinds(path: Path) -> dict[str, str]:
    """The kind of each convolution of a graph, by name."""
    graph = onnx.load(str(path)).graph
    shapes = {weights.name: tuple(weights.dims) for weights in graph.initializer}
    return {node.name: _kind(shapes[node.input[1]]) for node in graph.node if node.op_type == "Conv"}


def _kind(weights: tuple[int, ...]) -> str:
    outputs, inputs_a_group, *kernel = weights
    if set(kernel) == {1}:
        return POINTWISE
    return DEPTHWISE if inputs_a_group == 1 and outputs > 1 else OTHER


def _of_openvino(folder: Path, rounds: int) -> dict[str, float]:
    """Milliseconds by kind: the median over the rounds of each node's time, summed."""
    times = dict.fromkeys((POINTWISE, DEPTHWISE, OTHER, REST), 0.0)
    for name, feed in inputs().items():
        request = compiled(folder / f"{name}.xml", PERF_COUNT=True).create_infer_request()
        nodes: dict[tuple[str, str, str], list[float]] = {}
        for _ in range(rounds):
            request.infer(feed)
            for node in request.profiling_info:
                key = (node.node_name, node.node_type, node.exec_type)
                nodes.setdefault(key, []).append(1e3 * node.real_time.total_seconds())
        for (_, kind, executed), milliseconds in nodes.items():
            times[_openvino_kind(kind, executed)] += statistics.median(milliseconds)
    return times


def _openvino_kind(kind: str, executed: str) -> str:
    if kind == "GroupConvolution":
        return DEPTHWISE
    if kind == "Convolution":
        return POINTWISE if "1x1" in executed else OTHER
    return REST


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.openvino_layers", "Sum two runtimes' times of LightTrack-Mobile by kind of layer.")
    add_folders(arguments)
    arguments.add_argument("--layers", type=Path, required=True, help="layer report of their engines, on one thread")
    arguments.add_argument("--rounds", type=cli.count, default=50)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
