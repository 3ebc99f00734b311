"""The whole stage, with graphs of a few thousand weights and frames made here."""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import onnx
import pytest

from calibration import __main__ as command
from calibration import measure
from calibration.calibrate import calibrate
from calibration.sampler import Crops
from siamtrt import ArtifactError, GraphCard, Manifest, ModelCard, TensorSpec, cli
from siamtrt.card import LostRule, SearchCard, StageCard
from siamtrt.files import sha256
from siamtrt.libraries import calibration_cache
from siamtrt.ranges import Ranges
from studies.thesis_calibration import wrongly
from tests.calibration.conftest import CROPS
from tests.tiny import write_tiny_model


@pytest.fixture
def counted():
    """The usual way of showing samples, and the list of those that were shown."""
    seen = []

    def show(observers, crops):
        seen.append(crops)
        measure.present(observers, crops)

    show.__module__ = measure.present.__module__
    return show, seen


def test_the_folder_tells_what_it_was_made_from(calibrated, tiny_onnx):
    manifest = Manifest.load(calibrated, stage="calibration")
    assert manifest.settings == {
        "calibration_sources": ["film", "film.avi", "pair", "stills", "tracked", "walk"],
        "crops": CROPS,
        "seed": 0,
        "method": "target=minmax,search=minmax,xcorr=minmax",
    }
    graphs = [tiny_onnx / f"{graph}.onnx" for graph in ("target", "search", "xcorr")]
    assert manifest.parents == {str(path): sha256(path) for path in (tiny_onnx / "model.json", *graphs)}
    samples = json.loads((calibrated / "samples.json").read_text())["samples"]
    assert len(samples) == CROPS
    assert {sample["clip"] for sample in samples} == {"film.avi", "stills", "tracked", "walk"}
    assert set(samples[0]) == {"clip", "template_frame", "template_box", "search_frame", "state"}


def test_samples_are_stored_for_other_calibrators(calibrated):
    for kind, side in (("template", 127), ("search", 255)):
        images = sorted((calibrated / "samples" / kind).iterdir())
        assert [path.name for path in images] == [f"{index:05d}.png" for index in range(CROPS)]
        assert all(cv2.imread(str(path)).shape == (side, side, 3) for path in images)


def test_ranges_are_the_extremes_over_all_samples(calibrated, tiny_onnx):
    """Computed anew from the stored crops, by the plain reference: numpy for the input, ONNX Runtime for a feature."""
    from siamtrt.libraries.onnxruntime import open_session

    ranges = Ranges.load(calibrated / "search.ranges.json", onnx=tiny_onnx / "search.onnx").tensors
    session = open_session(tiny_onnx / "search.onnx", threads=1)
    patches = [cv2.imread(str(path)) for path in sorted((calibrated / "samples" / "search").iterdir())]
    inputs = [patch.transpose(2, 0, 1)[None].astype(np.float32) for patch in patches]
    features = [session.run(["feature_cls"], {"search": values})[0] for values in inputs]
    assert (ranges["search"].low, ranges["search"].high) == (0, max(patch.max() for patch in patches))
    assert ranges["feature_cls"].high == pytest.approx(max(values.max() for values in features), rel=1e-4)
    assert ranges["stemmed"].low < 0 < ranges["stemmed"].high
    assert set(ranges) == {"search", "stemmed", "active", "cls.raw", "loc.raw", "feature_cls", "feature_loc"}


@pytest.mark.parametrize("graph", ["target", "search", "xcorr"])
def test_the_cache_parses_back_to_the_ranges(calibrated, tiny_onnx, graph):
    ranges = Ranges.load(calibrated / f"{graph}.ranges.json", onnx=tiny_onnx / f"{graph}.onnx").tensors
    data = (calibrated / f"{graph}.cache").read_bytes()
    assert data.startswith(b"TRT-8502-EntropyCalibration2\n")
    assert calibration_cache.parse(data) == pytest.approx({name: tensor.amax for name, tensor in ranges.items()})


def test_ranges_of_another_model_are_refused(calibrated, tmp_path):
    write_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(ArtifactError, match="measured on another graph"):
        Ranges.load(calibrated / "search.ranges.json", onnx=tmp_path / "other" / "search.onnx")


def test_another_method_measures_nothing_again(copied, request_of, counted):
    show, seen = counted
    calibrate(request_of(method="target=minmax,search=entropy,xcorr=percentile"), copied, "", show)
    assert not seen
    methods = {
        graph: {
            tensor["method"] for tensor in json.loads((copied / f"{graph}.ranges.json").read_text())["tensors"].values()
        }
        for graph in ("target", "search", "xcorr")
    }
    assert methods == {"target": {"minmax"}, "search": {"entropy"}, "xcorr": {"percentile"}}
    assert Manifest.load(copied, stage="calibration").settings["method"].startswith("target=minmax,search=entropy")


def test_another_model_seed_or_number_measures_anew(copied, request_of, counted, tmp_path):
    show, seen = counted
    write_tiny_model(tmp_path / "other", seed=1)
    for request in (request_of(tmp_path / "other"), request_of(seed=1), request_of(crops=3)):
        seen.clear()
        calibrate(request, copied, "", show)
        assert len(seen) == request.crops
    assert len(list((copied / "samples" / "search").iterdir())) == 3


def test_an_interrupted_run_goes_on_and_ends_the_same(calibrated, request_of, counted, tmp_path, monkeypatch):
    show, seen = counted
    monkeypatch.setattr(measure, "_SAVE_EVERY", 2)

    def interrupted(observers, crops):
        if len(seen) == 5:
            raise KeyboardInterrupt
        show(observers, crops)

    interrupted.__module__ = show.__module__
    with pytest.raises(KeyboardInterrupt):
        calibrate(request_of(), tmp_path, "", interrupted)
    with pytest.raises(ArtifactError, match="not a finished calibration folder"):
        Manifest.load(tmp_path, stage="calibration")
    seen.clear()
    calibrate(request_of(), tmp_path, "", show)
    assert len(seen) == CROPS - 4
    with np.load(tmp_path / "histograms.npz") as resumed, np.load(calibrated / "histograms.npz") as whole:
        for name in whole.files:
            np.testing.assert_array_equal(resumed[name], whole[name])
    for graph in ("target", "search", "xcorr"):
        name = f"{graph}.ranges.json"
        assert (tmp_path / name).read_text() == (calibrated / name).read_text()


def test_kernels_as_inputs_give_the_same_ranges_of_maps(calibrated, request_of, tmp_path):
    write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    calibrate(request_of(tmp_path / "onnx"), tmp_path / "out", "")
    ours = Ranges.load(tmp_path / "out" / "xcorr.ranges.json", onnx=tmp_path / "onnx" / "xcorr.onnx").tensors
    theirs = json.loads((calibrated / "xcorr.ranges.json").read_text())["tensors"]
    assert set(ours) == {*theirs, "kernel_cls", "kernel_loc"}
    assert {name: ours[name].amax for name in theirs} == pytest.approx({name: r["amax"] for name, r in theirs.items()})


def write_long_term_model(folder):
    """The tiny model with its graphs once more, for a search region of 831 px."""
    card = write_tiny_model(folder)
    for name, sides in (("search", (831, 101)), ("xcorr", (101, 97))):
        model = onnx.load(str(folder / f"{name}.onnx"))
        for values, side in zip((model.graph.input, model.graph.output), sides):
            for value in values:
                for dimension in list(value.type.tensor_type.shape.dim)[2:]:
                    dimension.dim_value = side
        onnx.save(model, str(folder / f"{name}_lost.onnx"))
    stage = StageCard("search_lost", "xcorr_lost", card.kernel_names)
    lost = SearchCard(831, 97, 0.1, (stage,), LostRule(0.8, 0.9))
    large = [
        GraphCard(f"{graph.name}_lost", resized(graph.inputs, sides[0]), resized(graph.outputs, sides[1]), graph.role)
        for graph, sides in ((card.graph("search"), (831, 101)), (card.graph("xcorr"), (101, 97)))
    ]
    card = ModelCard(**{**vars(card), "searches": (*card.searches, lost), "graphs": (*card.graphs, *large)})
    card.save(folder)
    names = [*(f"{graph.name}.onnx" for graph in card.graphs), "model.json"]
    Manifest.of(folder, names, stage="export", command="", parents=[], settings={}, environment={}).save(folder)
    return folder


def resized(specs, side):
    return tuple(TensorSpec(spec.name, (*spec.shape[:2], side, side)) for spec in specs)


def test_a_long_term_model_has_its_large_graphs_measured(request_of, tmp_path):
    folder = write_long_term_model(tmp_path / "onnx")
    manifest = calibrate(request_of(folder, method="target=minmax,search=entropy,xcorr=minmax"), tmp_path / "out", "")
    assert {"search_lost.cache", "xcorr_lost.ranges.json", "samples/search_lost/00000.png"} <= set(manifest.files)
    patch = cv2.imread(str(tmp_path / "out" / "samples" / "search_lost" / "00000.png"))
    assert patch.shape == (831, 831, 3)
    for graph, method in (("search_lost", "entropy"), ("xcorr_lost", "minmax")):
        ranges = Ranges.load(tmp_path / "out" / f"{graph}.ranges.json", onnx=folder / f"{graph}.onnx").tensors
        assert {tensor.method for tensor in ranges.values()} == {method}
    assert ranges["cls"].amax > 0


def test_the_thesis_way_gives_other_ranges_of_xcorr_and_says_so(calibrated, request_of, tmp_path):
    manifest = calibrate(request_of(), tmp_path, "", wrongly(seed=0))
    assert manifest.settings["method"].endswith("shown by studies.thesis_calibration")
    wrong = json.loads((tmp_path / "xcorr.ranges.json").read_text())["tensors"]
    right = json.loads((calibrated / "xcorr.ranges.json").read_text())["tensors"]
    assert not 0.5 < wrong["correlation_cls"]["amax"] / right["correlation_cls"]["amax"] < 2
    assert wrong["correlation_cls"]["low"] < 0 <= right["correlation_cls"]["low"]


def test_the_command(tiny_onnx, frames, tmp_path, monkeypatch, capsys):
    words = ["--onnx", str(tiny_onnx), "--frames", str(frames), "--crops", "3", "--method", "minmax", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["calibration", *words])
    assert cli.run(command.main, command._arguments(), [*words, "--out", str(tmp_path / "right")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'right'}\n"
    assert (
        cli.run(command.main, command._arguments(), [*words, "--out", str(tmp_path / "wrong"), "--as-the-thesis"]) == 0
    )
    assert "fit for nothing else" in capsys.readouterr().err
    assert cli.run(command.main, command._arguments(), [*words[:4], "--out", str(tmp_path), "--method", "mean"]) == 2


def test_each_of_the_thesis_defects_is_there():
    shown = {"target": [], "search": [], "xcorr": []}

    class Watched:
        def __init__(self, graph):
            self.graph = graph

        def observe(self, feed):
            shown[self.graph].append(feed)
            first = float(next(iter(feed.values())).flat[0])
            if self.graph == "target":
                return {"kernel_cls": np.ones((8, 1, 5, 5), np.float32)}
            return {name: np.full((1, 2, 3, 3), first, np.float32) for name in ("feature_cls", "feature_loc")}

    observers = {graph: Watched(graph) for graph in shown}
    show = wrongly(seed=0)
    for value in range(6):
        patch = np.zeros((4, 4, 3), np.uint8)
        patch[...] = (10 + value, 0, 200 + value)
        show(observers, Crops(patch, {"search": patch}))
    blue_green_red = [crop["search"][0, :, 0, 0].tolist() for crop in shown["search"]]
    assert blue_green_red == [[200.0 + value, 0.0, 10.0 + value] for value in range(6)]
    assert not np.array_equal(shown["xcorr"][0]["kernel_cls"], np.ones((8, 1, 5, 5)))
    from_frame = [float(feed["feature_cls"].flat[0]) for feed in shown["xcorr"]]
    assert any(found != 200.0 + value for value, found in enumerate(from_frame))
