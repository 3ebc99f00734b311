"""Biases corrected for the symmetric form, which is what an INT8 plan of TensorRT computes."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from engines.build import int8_jobs
from engines.graph import read_graph
from engines.int8 import Int8Options
from engines.sensitivity.graphs_in_turn import GraphsInTurn, noise
from engines.tensorrt import __main__ as command
from engines.tensorrt.biases import symmetric_form, with_corrected_biases
from engines.tensorrt.typed import typed_graph
from siamtrt import ArtifactError, GraphPrecisions, Manifest
from tests.calibrated import write_calibration
from tests.tiny import CHANNELS, write_tiny_model


@pytest.fixture
def calibrated(tmp_path, monkeypatch):
    """A tiny model with biases and one large weight a channel, which leaves the others few levels to shift on."""
    monkeypatch.setattr("engines.tensorrt.biases._LEAST_GAIN", 1.0)
    folder = tmp_path / "onnx"
    write_tiny_model(folder)
    for name in ("target", "search"):
        model = onnx.load(str(folder / f"{name}.onnx"))
        for weight in list(model.graph.initializer):
            values = numpy_helper.to_array(weight).copy()
            values.reshape(len(values), -1)[:, 0] *= 30
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        for node in model.graph.node:
            if node.op_type == "Conv":
                node.input.append(f"{node.name}.bias")
                zeros = np.zeros(CHANNELS, np.float32)
                model.graph.initializer.append(numpy_helper.from_array(zeros, f"{node.name}.bias"))
        onnx.save(model, str(folder / f"{name}.onnx"))
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    Manifest.of(folder, names, stage="export", command="", parents=[], settings={}, environment={}).save(folder)
    return folder, write_calibration(tmp_path / "calibration", folder, samples=6)


def search_job(folder, calibration, **wish):
    jobs = int8_jobs(folder, GraphPrecisions.parse("int8-all"), Int8Options(calibration, **wish))
    return next(job for job in jobs if job.graph.name == "search")


def biases(model):
    return {w.name: numpy_helper.to_array(w) for w in model.graph.initializer if len(w.dims) == 1}


def test_the_corrected_graph_loses_less_in_symmetric_int8(calibrated):
    folder, calibration = calibrated
    job = search_job(folder, calibration)
    model = read_graph(job.source)
    corrected = with_corrected_biases(model, job, job.int8)
    graphs = GraphsInTurn(folder, calibration, 6)
    plain, better = (
        noise(graphs.maps, graphs.variant("search", symmetric_form(form, job.int8, ())))[0]
        for form in (model, corrected)
    )
    assert better < 0.7 * plain


def test_biases_that_gain_little_stay(calibrated, monkeypatch):
    monkeypatch.setattr("engines.tensorrt.biases._LEAST_GAIN", 1e-9)
    job = search_job(*calibrated)
    model = read_graph(job.source)
    assert with_corrected_biases(model, job, job.int8) is model
    assert with_corrected_biases(model, job, job.int8) == model  # and so it is remembered


def test_weights_stay_and_the_graph_given_too(calibrated):
    job = search_job(*calibrated)
    model = read_graph(job.source)
    before = model.SerializeToString()
    corrected = with_corrected_biases(model, job, job.int8)
    assert model.SerializeToString() == before
    moved = [w.name for w, v in zip(model.graph.initializer, corrected.graph.initializer) if w != v]
    assert moved
    assert set(moved) <= set(biases(model))


def test_what_a_workstation_measured_is_taken_on_the_board(calibrated, monkeypatch):
    folder, calibration = calibrated
    job = search_job(folder, calibration)
    model = read_graph(job.source)
    corrected = with_corrected_biases(model, job, job.int8)
    monkeypatch.setattr("engines.tensorrt.biases.correct_biases", None)
    assert with_corrected_biases(model, job, job.int8) == corrected


@pytest.mark.parametrize("change", ["floats", "samples", "ranges"])
def test_biases_of_something_else_are_not_taken(calibrated, change):
    folder, calibration = calibrated
    job = search_job(folder, calibration)
    with_corrected_biases(read_graph(job.source), job, job.int8)
    other = {
        "floats": lambda: replace(job.int8, floats=("stemmed",)),
        "samples": lambda: replace(job.int8, correction_samples=2),
        "ranges": lambda: replace(
            job.int8,
            ranges=replace(
                job.int8.ranges,
                tensors={name: replace(span, amax=2 * span.amax) for name, span in job.int8.ranges.tensors.items()},
            ),
        ),
    }[change]()
    with_corrected_biases(read_graph(job.source), job, other)
    assert len(list((calibration / "biases").glob("search-*.npz"))) == 2


def test_damaged_biases_are_told(calibrated):
    folder, calibration = calibrated
    job = search_job(folder, calibration)
    model = read_graph(job.source)
    with_corrected_biases(model, job, job.int8)
    (path,) = (calibration / "biases").glob("search-*.npz")
    np.savez(path, **{name: value[:-1] for name, value in biases(model).items()})
    with pytest.raises(ArtifactError, match="holds no bias of this graph called"):
        with_corrected_biases(model, job, job.int8)
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ArtifactError, match="cannot read the corrected biases"):
        with_corrected_biases(model, job, job.int8)


def test_tensorrt_by_flags_parses_the_corrected_graph(board, calibrated):
    folder, calibration = calibrated
    double = board(onnx=folder)
    double.build("int8", ranges=calibration)
    plan = onnx.load_from_string((double.out / "search.plan").read_bytes().partition(b"\n")[2])
    source = read_graph(folder / "search.onnx")
    assert any(not np.array_equal(value, biases(source)[name]) for name, value in biases(plan).items())
    job = search_job(folder, calibration)
    assert plan == with_corrected_biases(source, job, job.int8)


def test_no_crops_to_correct_on_leaves_the_graph(calibrated):
    folder, calibration = calibrated
    job = search_job(folder, calibration, correction_samples=0)
    model = read_graph(job.source)
    assert with_corrected_biases(model, job, job.int8) is model


def test_typed_graphs_carry_the_corrected_biases(calibrated):
    folder, calibration = calibrated
    plain, corrected = (
        biases(typed_graph(search_job(folder, calibration, correction_samples=count))) for count in (0, 6)
    )
    assert any(not np.array_equal(plain[name], corrected[name]) for name in plain)


def test_the_command_leaves_them_beside_the_calibration(calibrated, capsys):
    folder, calibration = calibrated
    command.main(command.arguments().parse_args(["--onnx", str(folder), "--ranges", str(calibration)]))
    assert capsys.readouterr().out.strip() == str(calibration / "biases")
    assert any((calibration / "biases").glob("search-*.npz"))


@pytest.mark.parametrize("word", ["FLOAT_LAYERS=2", "KEEP=2", "MAX_NOISE=0.01"])
def test_make_refuses_what_it_would_not_pass_on_before_it_makes_anything(tmp_path, word):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    shutil.copy(Path(__file__).parents[3] / "Makefile", tmp_path)
    command = ["make", "-s", "PYTHON=./python", "BOARD=", "biases", word]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("make biases takes no FLOAT_LAYERS and no MAX_NOISE:")
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
