"""The shipped weights in INT8, from rendered frames to boxes: what ``make engines PRECISION=int8`` gives."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evaluation.drift import drift
from benchmarks.profiling.layers.layer_report import LayerReport
from benchmarks.profiling.layers.onnx_profile import profile
from calibration.__main__ import arguments as calibration_arguments
from calibration.__main__ import main as calibrate
from runtime.tracker import Tracker
from sequences.annotated import load_sequence
from sequences.rendered.command import write_clip
from siamtrt import GraphPrecisions, ModelCard, cli
from tests.built import build


def boxes(engines, sequence):
    tracker = Tracker.open(engines, threads=1)
    tracker.start(sequence.frame(0), sequence.start_box(0))
    found = [tracker.update(sequence.frame(index)).box for index in range(1, len(sequence))]
    return np.array([[0, 0, 1, 1], *((box.x, box.y, box.width, box.height) for box in found)])


@pytest.mark.slow
def test_int8_follows_fp32_in_integers(shipped_engines, tmp_path):
    """Calibrated on one clip, judged on another: the same trajectory, nine tenths of the work in integers."""
    onnx = shipped_engines.parent / "onnx"
    for seed in (3, 4):
        write_clip(tmp_path / "frames" / f"clip{seed}", seed=seed, count=12)
    write_clip(tmp_path / "judges", seed=7, count=16)  # ends before the occlusion
    argv = ["--quiet", "--onnx", onnx, "--frames", tmp_path / "frames", "--out", tmp_path / "ranges"]
    assert cli.run(calibrate, calibration_arguments(), [*map(str, argv), "--crops", "16", "--threads", "1"]) == 0
    for name in ("fp32", "int8", "int8-all"):
        more = {} if name == "fp32" else {"ranges": tmp_path / "ranges", "correction_samples": 4}
        build(
            onnx,
            tmp_path / name,
            "onnxruntime",
            GraphPrecisions.parse(f"target=fp32,search={name},xcorr={name}"),
            "",
            **more,
        )
    sequence = load_sequence(tmp_path / "judges")
    reference = boxes(tmp_path / "fp32", sequence)
    for name, least_share in (("int8", 0.98), ("int8-all", 0.99)):
        assert drift(boxes(tmp_path / name, sequence), reference).mean_overlap >= 0.85
        layers = [
            layer
            for graph in ModelCard.load(onnx).graphs
            for layer in profile(tmp_path / name / f"{graph.name}.onnx", graph, 1, 1)
        ]
        assert LayerReport("", 1, tuple(layers), {}, {}).integer_share >= least_share
