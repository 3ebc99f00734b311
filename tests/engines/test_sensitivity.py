from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest

from engines import __main__ as engines_main
from engines.int8_inputs import _layers_to_keep
from engines.sensitivity.__main__ import _arguments, main
from engines.sensitivity.choose import layers_to_keep
from engines.sensitivity.graphs_in_turn import Chain, noise
from engines.sensitivity.measure import convolution_macs, measure
from engines.sensitivity.report import Loss, Sensitivity, Step, decibel
from engines.sensitivity.steps_out_of_int8 import path
from siamtrt import ArtifactError, Manifest, UsageError, cli
from siamtrt.files import sha256
from tests.calibrated import write_calibration
from tests.engines.onnxruntime.test_quantize import BOTTLENECK
from tests.tiny import write_tiny_model


@pytest.fixture(scope="module")
def calibration(tmp_path_factory, tiny_onnx):
    return write_calibration(tmp_path_factory.mktemp("calibration") / "calibration", tiny_onnx)


@pytest.fixture(scope="module")
def measured(tiny_onnx, calibration):
    return measure(tiny_onnx, calibration, 2, 2, threads=1)


def test_noise_is_the_error_of_the_worst_map():
    want = [{"cls": np.array([3.0, 4.0], np.float32), "loc": np.array([1.0, 0.0], np.float32)}]
    found = [{"cls": np.array([3.0, 4.0], np.float32), "loc": np.array([1.0, 0.5], np.float32)}]
    ratio, cosine = noise(want, found)
    assert ratio == pytest.approx(0.25)
    assert cosine == pytest.approx(1 / np.sqrt(1.25))
    assert decibel(ratio) == pytest.approx(6.0206, abs=1e-4)
    assert decibel(0.0) is None


def test_the_chain_reproduces_itself_and_notices_a_change(tiny_onnx, calibration):
    chain = Chain(tiny_onnx, calibration, 2, threads=1)
    for graph, model in chain.models.items():
        assert noise(chain.maps, chain.variant(graph, model))[0] == 0.0
        louder = onnx.ModelProto()
        louder.CopyFrom(model)
        for weight in louder.graph.initializer:
            if weight.name in ("stem", "cls.head"):
                weight.raw_data = (np.frombuffer(weight.raw_data, np.float32) * 2).tobytes()
        # the whole tiny model is linear but for its ReLUs, so twice the weights is twice the map: noise 1
        assert noise(chain.maps, chain.variant(graph, louder))[0] == pytest.approx(1.0, rel=1e-3)


def test_every_convolution_is_ranked_worst_first(measured):
    names = {loss.name for loss in measured.layers}
    assert names == {
        *(f"{graph}:{layer}" for graph in ("target", "search") for layer in ("stemmed", "cls.raw", "loc.raw")),
        *(f"xcorr:{layer}" for layer in ("correlation_cls", "correlation_loc", "cls", "loc")),
    }
    noises = [loss.noise for loss in measured.layers]
    assert noises == sorted(noises, reverse=True)
    assert all(0 < value < 0.1 for value in noises)
    assert all(loss.cosine > 0.9 for loss in measured.layers)


def test_the_way_out_takes_noise_away_step_by_step(measured):
    for graph in ("target", "search"):
        steps = [step for step in measured.steps if step.graph == graph]
        assert steps[0].layers == ()
        assert len(steps) > 1
        assert [step.noise for step in steps] == sorted((step.noise for step in steps), reverse=True)
        assert [step.macs_share for step in steps] == sorted(step.macs_share for step in steps)
    # its correlations and its last convolutions are in float anyway, and it has no others
    assert [step for step in measured.steps if step.graph == "xcorr"] == [
        Step("xcorr", (), 0.0, pytest.approx(1.0), 0.0)
    ]


def test_a_ranking_survives_its_file(measured, tmp_path):
    measured.save(tmp_path / "sensitivity.json")
    assert Sensitivity.load(tmp_path / "sensitivity.json") == measured
    entry = json.loads((tmp_path / "sensitivity.json").read_text())["layers"][0]
    assert entry["signal_to_noise_db"] == pytest.approx(-10 * np.log10(entry["noise"]))


@pytest.mark.parametrize("text", ['{"schema": 9}', '{"schema": 1, "layers": 3, "steps": []}', '{"schema": 1}'])
def test_another_file_is_no_ranking(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ArtifactError, match="no ranking"):
        Sensitivity.load(tmp_path / "x.json")


def step(graph, layers, left):
    return Step(graph, layers, left, 1.0, 0.0)


def test_the_graph_that_gains_most_goes_first():
    steps = (
        step("a", (), 10.0),
        step("a", ("a1",), 9.0),
        step("a", ("a2",), 2.0),
        step("b", (), 5.0),
        step("b", ("b1", "b2"), 1.0),
    )
    found = Sensitivity((), steps, 1, {}, {})
    assert [(taken.layers, left) for taken, left in found.way_out(["a", "b"])] == [
        ((), 15.0),
        (("b1", "b2"), 11.0),
        (("a1",), 10.0),
        (("a2",), 3.0),
    ]
    assert [left for _, left in found.way_out(["b"])] == [5.0, 1.0]


def test_a_layer_may_leave_with_the_one_that_feeds_it():
    """Here c alone gains nothing, since what it reads stays rounded; with a it gains all."""
    losses = [Loss("search", name, 0.1, 1.0, 0.25) for name in ("c", "d", "a")]
    asked = []

    def judge(keep):
        asked.append(tuple(keep))
        return (0.01 if {"a", "c"} <= set(keep) else 1.0), 1.0

    taken = path("search", BOTTLENECK, losses, judge, 3)
    assert [found.layers for found in taken] == [(), ("c", "a")]
    assert taken[1].macs_share == pytest.approx(0.5)
    assert ("d", "c") in asked


def test_shares_of_the_work_add_up(tiny_onnx):
    shares = convolution_macs(onnx.load(str(tiny_onnx / "search.onnx")))
    stem, branch = 8 * 31 * 31 * 3 * 64, 8 * 29 * 29 * 8 * 9
    assert shares["stemmed"] == pytest.approx(stem / (stem + 2 * branch))
    assert sum(shares.values()) == pytest.approx(1.0)


def test_the_command_prints_the_worst_and_the_way_out(tiny_onnx, calibration, tmp_path, capsys):
    out = tmp_path / "sensitivity.json"
    argv = ["--quiet", "--onnx", str(tiny_onnx), "--ranges", str(calibration), "--out", str(out)]
    assert cli.run(main, _arguments(), [*argv, "--samples", "1", "--steps", "1", "--show", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["dB", "cosine", "%", "MACs", "layer", "alone", "in", "INT8"]
    assert lines[1].endswith(Sensitivity.load(out).layers[0].name)
    assert lines[-1] == str(out)


def test_more_samples_than_there_are_is_refused(tiny_onnx, calibration):
    with pytest.raises(UsageError, match=r"4 samples were asked for, .* has 3"):
        measure(tiny_onnx, calibration, 4, 1)


def test_the_calibration_of_another_model_is_refused(tmp_path, calibration):
    write_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(ArtifactError, match="measured on another graph"):
        measure(tmp_path / "other", calibration, 1, 1)


def test_an_unfinished_calibration_is_refused(tiny_onnx, calibration, tmp_path):
    shutil.copytree(calibration, tmp_path / "unfinished")
    (tmp_path / "unfinished" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="not a finished calibration folder"):
        measure(tiny_onnx, tmp_path / "unfinished", 1, 1)


def test_kernels_as_inputs_are_refused(tmp_path, calibration):
    write_tiny_model(tmp_path / "inputs", kernel_inputs=True)
    with pytest.raises(UsageError, match="--kernel-inputs"):
        measure(tmp_path / "inputs", calibration, 1, 1)


WAY = (
    step("search", (), 0.10),
    step("search", ("stemmed", "cls.raw"), 0.02),
    step("target", (), 0.05),
    step("target", ("stemmed",), 0.01),
)


@pytest.fixture
def ranking(tmp_path, tiny_onnx):
    digests = {graph: sha256(tiny_onnx / f"{graph}.onnx") for graph in ("target", "search", "xcorr")}
    Sensitivity((), WAY, 1, digests, {}).save(tmp_path / "ranking.json")
    return tmp_path / "ranking.json"


@pytest.mark.parametrize(
    ("graphs", "limits", "kept"),
    [
        (["target", "search"], {"count": 3}, ["search:stemmed", "search:cls.raw", "target:stemmed"]),
        (["target", "search"], {"count": 2}, ["search:stemmed", "search:cls.raw"]),
        (["target"], {"count": 1}, ["target:stemmed"]),
        (["target", "search"], {"count": 0}, []),
        (["target", "search"], {"most_noise": 0.07}, ["search:stemmed", "search:cls.raw"]),
        (["target", "search"], {"most_noise": 0.2}, []),
    ],
)
def test_the_way_is_followed_as_far_as_asked(ranking, tiny_onnx, graphs, limits, kept):
    assert layers_to_keep(ranking, tiny_onnx, graphs, **limits) == kept


def test_each_step_is_logged_with_its_gain(ranking, tiny_onnx, caplog):
    with caplog.at_level("INFO"):
        layers_to_keep(ranking, tiny_onnx, ["search"], count=2)
    assert "stemmed and cls.raw stays in floating point, signal to noise 10.0 -> 17.0 dB" in caplog.text


def test_a_budget_out_of_reach_is_an_error(ranking, tiny_onnx):
    with pytest.raises(UsageError, match=r"falls to 0.03 at best, not to 0.001"):
        layers_to_keep(ranking, tiny_onnx, ["target", "search"], most_noise=0.001)


def test_more_layers_than_were_tried_is_an_error(ranking, tiny_onnx):
    with pytest.raises(UsageError, match=r"tries 1 layers out of INT8, not 2(.|\n)*--keep 1, or .* more --steps"):
        layers_to_keep(ranking, tiny_onnx, ["target"], count=2)


@pytest.mark.parametrize("most_noise", [float("nan"), float("inf"), -0.1])
def test_a_budget_that_is_no_share_is_an_error(ranking, tiny_onnx, most_noise):
    with pytest.raises(UsageError, match="is no share of the maps' power"):
        layers_to_keep(ranking, tiny_onnx, ["search"], most_noise=most_noise)


def test_a_noise_that_is_no_number_is_refused(ranking):
    document = json.loads(ranking.read_text())
    document["steps"][0]["noise"] = "much"
    ranking.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="is no ranking"):
        Sensitivity.load(ranking)


def test_what_is_kept_in_the_search_is_kept_in_the_long_term_search_too(tmp_path):
    write_tiny_model(tmp_path, lost=True)
    kept = _layers_to_keep(tmp_path, ["search", "search_lost"], ["search:stemmed"])
    assert kept == {"search": ("stemmed",), "search_lost": ("stemmed",)}
    assert _layers_to_keep(tmp_path, ["search", "search_lost"], ["search_lost:stemmed"]) == {
        "search_lost": ("stemmed",)
    }


def test_a_step_larger_than_the_count_is_an_error(ranking, tiny_onnx):
    with pytest.raises(UsageError, match=r"no 1 layers(.|\n)*--keep 2"):
        layers_to_keep(ranking, tiny_onnx, ["search"], count=1)


def test_the_ranking_of_another_model_is_refused(ranking, tmp_path):
    write_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(ArtifactError, match="another search graph"):
        layers_to_keep(ranking, tmp_path / "other", ["search"], count=2)


def engines(tiny_onnx, out, *options):
    argv = ["--quiet", "--onnx", str(tiny_onnx), "--out", str(out), *options]
    return cli.run(engines_main.main, engines_main._arguments(), argv)


def test_the_engines_command_keeps_what_the_ranking_says(ranking, tiny_onnx, calibration, tmp_path):
    int8 = ["--precision", "int8", "--ranges", str(calibration), "--sensitivity", str(ranking)]
    assert engines(tiny_onnx, tmp_path / "out", *int8, "--keep", "2", "--keep", "xcorr:loc") == 0
    kept = Manifest.load(tmp_path / "out", stage="engines").settings["keep"]
    assert kept == ["search:cls.raw", "search:stemmed", "xcorr:loc"]
    assert engines(tiny_onnx, tmp_path / "out", *int8, "--max-drift", "0.07") == 0
    assert len(Manifest.load(tmp_path / "out", stage="engines").settings["keep"]) == 2


@pytest.mark.parametrize(
    "options",
    [["--keep", "2"], ["--max-drift", "0.1"], ["--sensitivity"], ["--keep", "1", "--keep", "2", "--sensitivity"]],
)
def test_half_a_wish_is_refused(ranking, tiny_onnx, calibration, tmp_path, options):
    full = [*options, str(ranking)] if options[-1] == "--sensitivity" else options
    assert engines(tiny_onnx, tmp_path / "out", "--precision", "int8", "--ranges", str(calibration), *full) == 2
