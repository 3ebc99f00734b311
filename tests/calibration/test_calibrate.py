"""The whole stage, with graphs of a few thousand weights and frames made here."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from calibration import __main__ as command
from calibration import observe
from calibration.calibrate import calibrate
from siamtrt import ArtifactError, GraphCard, Manifest, ModelCard, TensorSpec, UsageError, cli
from siamtrt.card import LostRule, SearchCard, StageCard
from siamtrt.files import sha256
from siamtrt.libraries import calibration_cache
from siamtrt.ranges import Ranges
from tests.calibration.conftest import CROPS
from tests.tiny import write_tiny_model


@pytest.fixture
def shown(monkeypatch):
    """The crops that the graphs were run on."""
    seen, show = [], observe.show

    def watched(observers, crops, card):
        seen.append(crops)
        show(observers, crops, card)

    monkeypatch.setattr(observe, "show", watched)
    return seen


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
    crops = json.loads((calibrated / "crops.json").read_text())["done"]
    assert list(crops) == [f"{index:05d}" for index in range(CROPS)]
    assert {crop["clip"] for crop in crops.values()} == {"film.avi", "stills/pair", "tracked", "walk"}
    assert set(crops["00000"]) == {"clip", "template_frame", "template_box", "search_frame", "state"}
    assert not (calibrated / "unfinished").exists()


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


def test_another_method_measures_nothing_again(copied, request_of, shown):
    calibrate(request_of(method="target=minmax,search=entropy,xcorr=percentile"), copied, "")
    assert not shown
    methods = {
        graph: {
            tensor["method"] for tensor in json.loads((copied / f"{graph}.ranges.json").read_text())["tensors"].values()
        }
        for graph in ("target", "search", "xcorr")
    }
    assert methods == {"target": {"minmax"}, "search": {"entropy"}, "xcorr": {"percentile"}}
    assert Manifest.load(copied, stage="calibration").settings["method"].startswith("target=minmax,search=entropy")


def test_another_model_seed_or_number_measures_anew(copied, request_of, shown, tmp_path):
    write_tiny_model(tmp_path / "other", seed=1)
    for request in (request_of(tmp_path / "other"), request_of(seed=1), request_of(crops=3)):
        shown.clear()
        manifest = calibrate(request, copied, "")
        assert len(shown) == request.crops
        assert len(list((copied / "samples" / "search").iterdir())) == request.crops
        assert Manifest.load(copied, stage="calibration") == manifest
    names = {name.split("/")[0] for name in manifest.files}
    assert {path.name for path in copied.iterdir()} == {"manifest.json", *names}


def interrupted_after(crops, monkeypatch):
    """Make the run stop, as by Ctrl-C, when so many crops were shown."""
    show, count = observe.show, iter(range(crops))

    def stopping(observers, patches, card):
        if next(count, None) is None:
            raise KeyboardInterrupt
        show(observers, patches, card)

    monkeypatch.setattr(observe, "show", stopping)


def test_an_interrupted_run_goes_on_and_ends_the_same(calibrated, request_of, shown, tmp_path, monkeypatch):
    monkeypatch.setattr(observe, "_SAVE_EVERY", 2)
    with monkeypatch.context() as patched:
        interrupted_after(5, patched)
        with pytest.raises(KeyboardInterrupt):
            calibrate(request_of(), tmp_path, "")
    with pytest.raises(ArtifactError, match="not a finished calibration folder"):
        Manifest.load(tmp_path, stage="calibration")
    shown.clear()
    calibrate(request_of(), tmp_path, "")
    assert len(shown) == CROPS - 4
    with np.load(tmp_path / "histograms.npz") as resumed, np.load(calibrated / "histograms.npz") as whole:
        for name in whole.files:
            np.testing.assert_array_equal(resumed[name], whole[name])
    for graph in ("target", "search", "xcorr"):
        name = f"{graph}.ranges.json"
        assert (tmp_path / name).read_text() == (calibrated / name).read_text()


def test_a_finished_calibration_outlives_a_bad_or_interrupted_request(copied, request_of, tmp_path, monkeypatch):
    before = Manifest.load(copied, stage="calibration")
    for request in (request_of(crops=0), request_of(crops=500), request_of(source=tmp_path / "nowhere")):
        with pytest.raises(UsageError):
            calibrate(request, copied, "")
        assert Manifest.load(copied, stage="calibration") == before
    for crops in (0, 2):
        with monkeypatch.context() as patched:
            interrupted_after(crops, patched)
            with pytest.raises(KeyboardInterrupt):
                calibrate(request_of(seed=1), copied, "")
        assert Manifest.load(copied, stage="calibration") == before


@pytest.mark.parametrize("moves", [0, 1, 2, 3, 4])
def test_an_interruption_while_the_new_crops_take_their_place_is_made_good(
    copied, request_of, tmp_path, monkeypatch, moves
):
    """The templates move, the search crops, their list, the histograms."""
    calibrate(request_of(seed=1), tmp_path / "fresh", "")
    replace, count = Path.replace, iter(range(moves))

    def stopping(path, place):
        settling = "unfinished" in path.parts and "unfinished" not in Path(place).parts
        if settling and next(count, None) is None:
            raise KeyboardInterrupt
        return replace(path, place)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stopping)
        if moves < 4:
            with pytest.raises(KeyboardInterrupt):
                calibrate(request_of(seed=1), copied, "")
            assert not (copied / "manifest.json").exists()
    manifest = calibrate(request_of(seed=1), copied, "")
    assert manifest.files == Manifest.load(tmp_path / "fresh", stage="calibration").files


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


def test_the_command(tiny_onnx, frames, tmp_path, capsys):
    words = ["--onnx", str(tiny_onnx), "--frames", str(frames), "--crops", "3", "--method", "minmax", "--threads", "1"]
    parser = command.arguments("calibration", "")
    assert cli.run(command.main, parser, [*words, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
    assert cli.run(command.main, parser, [*words[:4], "--out", str(tmp_path), "--method", "mean"]) == 2
    with pytest.raises(SystemExit):
        parser.parse_args([*words, "--out", str(tmp_path), "--crops", "0"])
    assert "from 1 to" in capsys.readouterr().err
