from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines import __main__ as engines_main
from engines.int8 import _float_layers
from engines.sensitivity import choice
from engines.sensitivity import rank as ranking_module
from engines.sensitivity.__main__ import arguments, main
from engines.sensitivity.graphs_in_turn import GraphsInTurn, noise
from engines.sensitivity.rank import convolution_macs, rank
from engines.sensitivity.ranking import Loss, Sensitivity, Step, decibel
from engines.sensitivity.way_out import steps_out_of_int8
from siamtrt import ArtifactError, GraphCard, GraphPrecisions, Manifest, UsageError, cli
from siamtrt.card import ROLES, StageCard
from siamtrt.files import sha256
from siamtrt.libraries.onnxruntime import open_session
from tests.calibrated import write_calibration
from tests.engines.onnxruntime.test_quantize import BOTTLENECK
from tests.tiny import write_tiny_model


@pytest.fixture(scope="module")
def calibration(tmp_path_factory, tiny_onnx):
    return write_calibration(tmp_path_factory.mktemp("calibration") / "calibration", tiny_onnx)


@pytest.fixture(scope="module")
def measured(tiny_onnx, calibration):
    return rank(tiny_onnx, calibration, 2, 2, threads=1)


def test_noise_is_the_error_of_the_worst_map():
    want = [{"cls": np.array([3.0, 4.0], np.float32), "loc": np.array([1.0, 0.0], np.float32)}]
    found = [{"cls": np.array([3.0, 4.0], np.float32), "loc": np.array([1.0, 0.5], np.float32)}]
    ratio, cosine = noise(want, found)
    assert ratio == pytest.approx(0.25)
    assert cosine == pytest.approx(1 / np.sqrt(1.25))
    assert decibel(ratio) == pytest.approx(6.0206, abs=1e-4)
    assert decibel(0.0) is None


def test_the_graphs_reproduce_themselves_and_notice_a_change(tiny_onnx, calibration):
    graphs = GraphsInTurn(tiny_onnx, calibration, 2, threads=1)
    for graph, model in graphs.models.items():
        assert noise(graphs.maps, graphs.variant(graph, model))[0] == 0.0
        louder = onnx.ModelProto()
        louder.CopyFrom(model)
        for weight in louder.graph.initializer:
            if weight.name in ("stem", "cls.head"):
                weight.raw_data = (np.frombuffer(weight.raw_data, np.float32) * 2).tobytes()
        # the whole tiny model is linear but for its ReLUs, so twice the weights is twice the map: noise 1
        assert noise(graphs.maps, graphs.variant(graph, louder))[0] == pytest.approx(1.0, rel=1e-3)


def test_each_sample_is_judged_with_the_kernels_of_its_own_target(tiny_onnx, calibration):
    graphs = GraphsInTurn(tiny_onnx, calibration, 3, threads=1)
    sessions = {name: open_session(tiny_onnx / f"{name}.onnx", threads=1) for name in ("target", "search")}
    kernels = []
    for index, maps in enumerate(graphs.maps):
        outputs = {}
        for name, session in sessions.items():
            feed = graphs.inputs(name)[index]
            outputs.update(zip([output.name for output in session.get_outputs()], session.run(None, feed)))
        kernels.append(outputs["kernel_cls"])
        windows = np.lib.stride_tricks.sliding_window_view(outputs["feature_cls"][0], (5, 5), axis=(1, 2))
        correlated = np.einsum("crsij,cij->crs", windows, kernels[-1][:, 0])
        (head,) = [w for w in graphs.models["xcorr"].graph.initializer if w.name == "cls.head"]
        wanted = np.einsum("oc,crs->ors", numpy_helper.to_array(head)[:, :, 0, 0], correlated)
        np.testing.assert_allclose(maps["xcorr:cls"][0], wanted, atol=1e-4 * np.abs(wanted).max())
    assert not np.allclose(kernels[0], kernels[1])


def test_the_way_out_starts_from_the_worst_layers(tiny_onnx, calibration, monkeypatch):
    given = {}

    def recorded(graph, model, losses, *rest):
        given[graph] = [loss.noise for loss in losses]
        return steps_out_of_int8(graph, model, losses, *rest)

    monkeypatch.setattr("engines.sensitivity.rank.steps_out_of_int8", recorded)
    rank(tiny_onnx, calibration, 1, 1, threads=1)
    for graph in ("target", "search"):
        assert len(set(given[graph])) > 1
        assert given[graph] == sorted(given[graph], reverse=True)


def test_only_the_worst_layers_left_are_tried():
    """Four layers, three candidates: the least of them is never tried alone."""
    losses = [Loss("g", name, noise, 1.0, 0.25) for name, noise in (("w", 0.4), ("x", 0.3), ("y", 0.2), ("z", 0.1))]
    asked = []

    def judge(floats):
        asked.append(tuple(floats))
        return 1.0, 1.0

    steps_out_of_int8("g", onnx.ModelProto(), losses, judge, 1)
    assert asked == [(), ("w",), ("x",), ("y",)]


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory):
    """The tiny model with a second stage, whose search graph goes on from the features of the first."""
    folder = tmp_path_factory.mktemp("stages") / "onnx"
    card = write_tiny_model(folder)
    features, maps = card.graph("search").outputs, card.graph("xcorr").outputs
    deep = tuple(replace(feature, name=feature.name.replace("feature", "deep")) for feature in features)
    graph = helper.make_graph(
        [helper.make_node("Conv", [a.name, "w"], [b.name], name=b.name) for a, b in zip(features, deep)],
        "deeper",
        [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape) for spec in features],
        [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape) for spec in deep],
        [numpy_helper.from_array(np.random.default_rng(1).random((8, 8, 1, 1), np.float32), "w")],
    )
    deeper = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    (folder / "search.2.onnx").write_bytes(deeper.SerializeToString())
    xcorr, renamed = onnx.load(str(folder / "xcorr.onnx")), {a.name: b.name for a, b in zip(features, deep)}
    for value in xcorr.graph.input:
        value.name = renamed[value.name]
    for node in xcorr.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    (folder / "xcorr.2.onnx").write_bytes(xcorr.SerializeToString())
    second = StageCard("search.2", "xcorr.2", card.kernel_names)
    graphs = (GraphCard("search.2", features, deep, "search"), GraphCard("xcorr.2", deep, maps, "xcorr"))
    search = replace(card.search, stages=(*card.search.stages, second))
    replace(card, searches=(search,), graphs=(*card.graphs, *graphs)).save(folder)
    names = [f"{name}.onnx" for name in ("target", *search.graphs)]
    more = {"command": "", "parents": [], "settings": {}, "environment": {}}
    Manifest.of(folder, [*names, "model.json"], stage="export", **more).save(folder)
    return folder, write_calibration(folder.parent / "calibration", folder, samples=2)


def test_a_change_reaches_every_stage_behind_it_and_none_before(two_stages):
    graphs = GraphsInTurn(*two_stages, 2, threads=1)
    assert list(graphs.models) == ["target", "search", "xcorr", "search.2", "xcorr.2"]
    for name, weight, changed in (
        ("search", "stem", {"xcorr", "xcorr.2"}),
        ("search.2", "w", {"xcorr.2"}),
        ("xcorr", "cls.head", {"xcorr"}),
        ("target", "stem", {"xcorr", "xcorr.2"}),
    ):
        louder = onnx.ModelProto()
        louder.CopyFrom(graphs.models[name])
        (values,) = [value for value in louder.graph.initializer if value.name == weight]
        values.raw_data = (numpy_helper.to_array(values) * 2).tobytes()
        maps = graphs.variant(name, louder)
        differing = {key.split(":")[0] for key in maps[0] if not np.array_equal(maps[0][key], graphs.maps[0][key])}
        assert differing == changed


def test_every_stage_is_ranked(two_stages):
    ranking = rank(*two_stages, 2, 1, threads=1)
    assert {"search.2:deep_cls", "search.2:deep_loc", "xcorr.2:cls"} <= {loss.name for loss in ranking.layers}
    assert {step.graph for step in ranking.steps} == {"target", "search", "xcorr", "search.2", "xcorr.2"}


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
    with pytest.raises(ArtifactError, match="not a ranking of layers"):
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

    taken = steps_out_of_int8("search", BOTTLENECK, losses, judge, 3)
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
    assert cli.run(main, arguments(), [*argv, "--samples", "1", "--steps", "1", "--show", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["dB", "cosine", "%", "MACs", "layer", "alone", "in", "INT8"]
    assert lines[1].endswith(Sensitivity.load(out).layers[0].name)
    assert lines[-1] == str(out)


def test_an_interrupted_ranking_goes_on_where_it_stopped(tiny_onnx, calibration, tmp_path, capsys, monkeypatch):
    argv = ["--quiet", "--onnx", str(tiny_onnx), "--ranges", str(calibration), "--samples", "1", "--steps", "1"]
    measured_now, stop_at, to_int8 = [], 4, ranking_module.to_int8

    def counted(*arguments):
        if len(measured_now) == stop_at:
            raise KeyboardInterrupt
        measured_now.append(arguments)
        return to_int8(*arguments)

    def command(out, *more):
        measured_now.clear()
        return cli.run(main, arguments(), [*argv, "--out", str(tmp_path / out), *more]), len(measured_now)

    monkeypatch.setattr(ranking_module, "to_int8", counted)
    assert command("a.json") == (130, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial.json"]
    stop_at = None
    code, rest = command("a.json")
    assert code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    _, whole = command("b.json")
    assert rest == whole - 4
    assert Sensitivity.load(tmp_path / "a.json") == Sensitivity.load(tmp_path / "b.json")

    stop_at = 4
    assert command("c.json") == (130, 4)
    stop_at = None
    assert command("c.json", "--uncorrected") == (0, whole)  # which is another question


def test_more_samples_than_there_are_is_refused(tiny_onnx, calibration):
    with pytest.raises(UsageError, match=r"4 samples were asked for, .* has 3"):
        rank(tiny_onnx, calibration, 4, 1)


def test_the_calibration_of_another_model_is_refused(tmp_path, calibration):
    write_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(ArtifactError, match="measured on another graph"):
        rank(tmp_path / "other", calibration, 1, 1)


def test_an_unfinished_calibration_is_refused(tiny_onnx, calibration, tmp_path):
    shutil.copytree(calibration, tmp_path / "unfinished")
    (tmp_path / "unfinished" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="not a finished calibration folder"):
        rank(tiny_onnx, tmp_path / "unfinished", 1, 1)


def test_kernels_as_inputs_are_refused(tmp_path, calibration):
    write_tiny_model(tmp_path / "inputs", kernel_inputs=True)
    with pytest.raises(UsageError, match="--kernel-inputs"):
        rank(tmp_path / "inputs", calibration, 1, 1)


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


def way_out(ranking, folder, *roles):
    precisions = {role: "int8" if role in roles else "fp32" for role in ROLES}
    return choice.way_out(
        ranking, folder, GraphPrecisions.parse(",".join("=".join(pair) for pair in precisions.items()))
    )


@pytest.mark.parametrize(
    ("roles", "count", "floats"),
    [
        (["target", "search"], 3, ["search:stemmed", "search:cls.raw", "target:stemmed"]),
        (["target", "search"], 2, ["search:stemmed", "search:cls.raw"]),
        (["target"], 1, ["target:stemmed"]),
        (["target", "search"], 0, []),
    ],
)
def test_the_way_is_followed_for_as_many_layers_as_asked(ranking, tiny_onnx, roles, count, floats):
    assert choice.first(way_out(ranking, tiny_onnx, *roles), count) == floats


@pytest.mark.parametrize(
    ("most_noise", "floats"),
    [
        (0.2, []),
        (0.08, ["search:stemmed", "search:cls.raw"]),
        (0.07, ["search:stemmed", "search:cls.raw"]),
        (0.05, ["search:stemmed", "search:cls.raw", "target:stemmed"]),
    ],
)
def test_the_way_is_followed_until_little_noise_remains(ranking, tiny_onnx, most_noise, floats):
    assert choice.until(way_out(ranking, tiny_onnx, "target", "search"), most_noise) == floats


def test_each_step_is_logged_with_its_gain(ranking, tiny_onnx, caplog):
    with caplog.at_level("INFO"):
        choice.first(way_out(ranking, tiny_onnx, "search"), 2)
    assert "stemmed and cls.raw stays in floating point, signal to noise 10.0 -> 17.0 dB" in caplog.text


def test_that_no_layer_has_to_stay_is_told(ranking, tiny_onnx, caplog):
    with caplog.at_level("INFO"):
        assert choice.until(way_out(ranking, tiny_onnx, "target", "search"), 0.2) == []
    assert "0 layers stay in floating point: the noise of INT8 is 0.15 as it is" in caplog.text


def test_a_budget_out_of_reach_is_an_error(ranking, tiny_onnx):
    with pytest.raises(UsageError, match=r"falls to 0.03 at best, not to 0.001"):
        choice.until(way_out(ranking, tiny_onnx, "target", "search"), 0.001)


def test_more_layers_than_were_tried_is_an_error(ranking, tiny_onnx):
    with pytest.raises(
        UsageError, match=r"tries 1 layers out of INT8, not 2(.|\n)*--float-layers 1, or .* more --steps"
    ):
        choice.first(way_out(ranking, tiny_onnx, "target"), 2)


@pytest.mark.parametrize("most_noise", [float("nan"), float("inf"), -0.1])
def test_a_budget_that_is_no_share_is_an_error(ranking, tiny_onnx, most_noise):
    with pytest.raises(UsageError, match="is no share of the maps' power"):
        choice.until(way_out(ranking, tiny_onnx, "search"), most_noise)


def test_a_noise_that_is_no_number_is_refused(ranking):
    document = json.loads(ranking.read_text())
    document["steps"][0]["noise"] = "much"
    ranking.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="is not a ranking of layers"):
        Sensitivity.load(ranking)


def test_what_stays_float_in_the_search_does_so_in_the_long_term_search_too(tmp_path):
    card, searches = write_tiny_model(tmp_path, lost=True), ["search", "search_lost"]
    assert _float_layers(tmp_path, card, searches, ["search:stemmed"]) == {
        "search": {"stemmed"},
        "search_lost": {"stemmed"},
    }
    assert _float_layers(tmp_path, card, searches, ["search_lost:stemmed"]) == {"search_lost": {"stemmed"}}


def test_a_step_larger_than_the_count_is_an_error(ranking, tiny_onnx):
    with pytest.raises(UsageError, match=r"no 1 layers(.|\n)*--float-layers 2"):
        choice.first(way_out(ranking, tiny_onnx, "search"), 1)


def test_the_ranking_of_another_model_is_refused(ranking, tmp_path):
    write_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(ArtifactError, match="another search graph"):
        way_out(ranking, tmp_path / "other", "search")


def engines(tiny_onnx, out, *options):
    argv = ["--quiet", "--onnx", str(tiny_onnx), "--out", str(out), *options]
    return cli.run(engines_main.main, engines_main.arguments(), argv)


@pytest.mark.parametrize(
    ("float_layers", "max_noise"), [("--float-layers", "--max-noise"), ("--keep", "--max-drift")], ids=["now", "before"]
)
def test_the_engines_command_leaves_out_what_the_ranking_says(
    ranking, tiny_onnx, calibration, tmp_path, float_layers, max_noise
):
    int8 = ["--precision", "int8", "--ranges", str(calibration), "--sensitivity", str(ranking)]
    assert engines(tiny_onnx, tmp_path / "out", *int8, float_layers, "2", float_layers, "xcorr:loc") == 0
    floats = Manifest.load(tmp_path / "out", stage="engines").settings["keep"]
    assert floats == ["search:cls.raw", "search:stemmed", "xcorr:loc"]
    assert engines(tiny_onnx, tmp_path / "out", *int8, max_noise, "0.07") == 0
    assert len(Manifest.load(tmp_path / "out", stage="engines").settings["keep"]) == 2


def test_the_flags_of_before_are_not_shown(capsys):
    with pytest.raises(SystemExit):
        engines_main.arguments().parse_args(["--help"])
    shown = capsys.readouterr().out
    assert "--float-layers" in shown
    assert not {"--keep", "--max-drift"} & set(shown.replace("[", " ").split())


@pytest.mark.parametrize(
    "options",
    [
        ["--float-layers", "2"],
        ["--max-noise", "0.1"],
        ["--sensitivity"],
        ["--float-layers", "1", "--float-layers", "2", "--sensitivity"],
        ["--float-layers", "1", "--max-noise", "0.1", "--sensitivity"],
    ],
)
def test_half_a_wish_is_refused(ranking, tiny_onnx, calibration, tmp_path, options):
    full = [*options, str(ranking)] if options[-1] == "--sensitivity" else options
    assert engines(tiny_onnx, tmp_path / "out", "--precision", "int8", "--ranges", str(calibration), *full) == 2


@pytest.mark.parametrize(
    ("precision", "wish", "complaint"),
    [
        ("fp16", ["--float-layers", "2"], "are of INT8, which fp16 is not"),
        ("fp32", ["--max-noise", "0.1"], "are of INT8, which fp32 is not"),
        ("int8", ["--float-layers", "abc"], "no INT8 graph has a layer 'abc'"),
    ],
)
def test_a_wish_that_cannot_be_met_names_what_is_wrong_with_it(
    ranking, tiny_onnx, calibration, tmp_path, capsys, precision, wish, complaint
):
    """As make calls it: with the ranking, and with the ranges where INT8 wants them."""
    ranges = ["--ranges", str(calibration)] if precision == "int8" else []
    assert engines(tiny_onnx, tmp_path, "--precision", precision, *ranges, "--sensitivity", str(ranking), *wish) == 2
    assert complaint in capsys.readouterr().err
