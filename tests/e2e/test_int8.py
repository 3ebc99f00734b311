"""The shipped weights in INT8, from rendered frames to maps: what ``make engines PRECISION=int8`` gives."""

from __future__ import annotations

import numpy as np

from benchmarks.profiling.layers.layer_report import LayerReport
from benchmarks.profiling.layers.onnx_profile import profile
from calibration.__main__ import arguments as calibration_arguments
from calibration.__main__ import main as calibrate
from runtime.frames import fill_color
from runtime.onnxruntime.matcher import OnnxMatcher
from sequences.annotated import load_sequence
from sequences.rendered.command import write_clip
from siamtrt import GraphPrecisions, ModelCard, cli
from siamtrt.geometry import Place, search_square, template_square
from tests.built import build

LEAST_DB = 18.0  # a sixtieth of the maps' power
# What the ranking of make sensitivity puts first: after h-swish the first blocks lose what the box is read from.
FLOAT_LAYERS = tuple(f"search:backbone.features.{layer}" for layer in ("0.0", "1.conv.0", "1.conv.4"))


def maps(engines, sequence):
    """The maps of every frame around its truth: where boxes were followed, one frame's rounding would move the next."""
    card = ModelCard.load(engines)
    matcher = OnnxMatcher(engines, card, threads=1)
    places = [Place.given(sequence.start_box(index)) for index in range(len(sequence))]
    fill = fill_color(sequence.frame(0))
    matcher.remember(sequence.frame(0), template_square(places[0], card), fill)
    responses = [
        matcher.match(sequence.frame(index), search_square(places[index], card, card.search), fill)
        for index in range(1, len(sequence))
    ]
    return {"cls": [response.cls for response in responses], "loc": [response.loc for response in responses]}


def signal_to_noise_db(found, wanted):
    """Of the map that suffers most."""
    return min(
        10 * np.log10(np.square(wanted[name]).sum() / np.square(np.subtract(found[name], wanted[name])).sum())
        for name in wanted
    )


def test_int8_puts_out_the_maps_of_fp32_in_integers(shipped_engines, tmp_path):
    """Calibrated on two clips, judged on another: the same maps, nearly all of the work in integers."""
    onnx = shipped_engines.parent / "onnx"
    for seed in (3, 4):
        write_clip(tmp_path / "frames" / f"clip{seed}", seed=seed, count=12)
    write_clip(tmp_path / "judges", seed=7, count=16)  # ends before the occlusion
    argv = ["--quiet", "--onnx", onnx, "--frames", tmp_path / "frames", "--out", tmp_path / "ranges"]
    assert cli.run(calibrate, calibration_arguments(), [*map(str, argv), "--crops", "16", "--threads", "1"]) == 0
    for name in ("fp32", "int8", "int8-all"):
        more = {} if name == "fp32" else {"ranges": tmp_path / "ranges", "correction_samples": 4, "keep": FLOAT_LAYERS}
        build(
            onnx,
            tmp_path / name,
            "onnxruntime",
            GraphPrecisions.parse(f"target=fp32,search={name},xcorr={name}"),
            "",
            **more,
        )
    sequence = load_sequence(tmp_path / "judges")
    reference = maps(tmp_path / "fp32", sequence)
    for name, least_share in (("int8", 0.94), ("int8-all", 0.94)):
        assert signal_to_noise_db(maps(tmp_path / name, sequence), reference) >= LEAST_DB
        layers = [
            layer
            for graph in ModelCard.load(onnx).graphs
            for layer in profile(tmp_path / name / f"{graph.name}.onnx", graph, 1, 1)
        ]
        assert LayerReport("", 1, tuple(layers), {}, {}).integer_share >= least_share
