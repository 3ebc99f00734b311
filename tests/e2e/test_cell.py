"""A model with a cell goes the way of the others: kernels by refit and as inputs, INT8 in integers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.profiling.layers.layer_report import LayerReport
from benchmarks.profiling.layers.onnx_profile import profile
from export.write import write
from networks.genotype import parse
from networks.models import build_around, spec
from networks.seeded import seeded
from runtime.onnxruntime.matcher import OnnxMatcher
from siamtrt import BoundingBox, GraphPrecisions, ModelCard
from siamtrt.geometry import Place, search_square, template_square
from tests.built import build
from tests.calibrated import write_calibration

MODEL = "siamrpn_nano_cell"
ARCHITECTURE = "cell:avg3@0,sep5@1|skip@1,sep3@2|skip@1,dil5@0|skip@1,skip@4"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell")
    for name, inputs in (("refit", False), ("inputs", True)):
        write(seeded(MODEL, 0), MODEL, folder / name, checkpoint=None, command="", kernel_inputs=inputs)
    return folder


def maps(engines):
    """The maps of a frame with another frame's target."""
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(2))
    card = ModelCard.load(engines)
    matcher, place = OnnxMatcher(engines, card, threads=1), Place.given(BoundingBox(120, 90, 60, 40))
    matcher.remember(first, template_square(place, card), (0.0, 0.0, 0.0))
    found = matcher.match(second, search_square(place, card, card.search), (0.0, 0.0, 0.0))
    return found.cls, found.loc


def test_the_card_names_the_cell(exported):
    assert ModelCard.load(exported / "refit").architecture == ARCHITECTURE


def test_kernels_by_refit_and_as_inputs_give_the_same_maps(exported, tmp_path):
    found = []
    for name in ("refit", "inputs"):
        build(exported / name, tmp_path / name, "onnxruntime", GraphPrecisions.parse("fp32"), "")
        found.append(maps(tmp_path / name))
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.ptp(one))


def test_a_cell_runs_in_integers(exported, tmp_path):
    ranges = write_calibration(tmp_path / "ranges", exported / "refit", samples=2)
    build(
        exported / "refit",
        tmp_path / "int8",
        "onnxruntime",
        GraphPrecisions.parse("target=fp32,search=int8,xcorr=int8"),
        "",
        ranges=ranges,
        correction_samples=0,
    )
    layers = [
        layer
        for graph in ModelCard.load(exported / "refit").graphs
        if graph.role != "target"
        for layer in profile(tmp_path / "int8" / f"{graph.name}.onnx", graph, 1, 1)
    ]
    assert LayerReport("", 1, tuple(layers), {}, {}).integer_share >= 0.98
    in_cell = [layer for layer in layers if "neck.cell" in layer.name and layer.macs]
    assert {layer.precision for layer in in_cell} == {"uint8"}
    assert all(np.isfinite(values).all() for values in maps(tmp_path / "int8"))


def test_another_cell_is_another_network(tmp_path):
    network = build_around(MODEL, parse("cell16:skip@0,max3@1")).eval()
    card = write(network, MODEL, tmp_path, checkpoint=None, command="")
    assert card.architecture == "cell16:skip@0,max3@1"
    assert card.tracker == spec(MODEL).tracker
