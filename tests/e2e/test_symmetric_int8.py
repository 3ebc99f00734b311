"""The symmetric INT8 that TensorRT computes, on the weights that lost most before biases were corrected for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.__main__ import arguments as calibration_arguments
from calibration.__main__ import main as calibrate
from engines.build import int8_jobs
from engines.graph import read_graph
from engines.int8 import Int8Options
from engines.sensitivity.graphs_in_turn import GraphsInTurn, noise
from engines.sensitivity.ranking import decibel
from engines.tensorrt.biases import symmetric_form, with_corrected_biases
from sequences.rendered.command import write_clip
from siamtrt import GraphPrecisions, cli

CHECKPOINT = Path(__file__).parents[2] / "weights" / "siamrpn_lite0.pth"
LEAST_DB, LEAST_GAIN_DB = 20.0, 6.0


@pytest.fixture(scope="module")
def onnx(tmp_path_factory):
    pytest.importorskip("torch", reason="exporting needs torch")
    from export.write import write
    from networks.checkpoint import load

    folder = tmp_path_factory.mktemp("lite0") / "onnx"
    write(load("siamrpn_lite0", CHECKPOINT), "siamrpn_lite0", folder, checkpoint=CHECKPOINT, command="")
    return folder


@pytest.mark.slow
def test_the_search_graph_keeps_its_maps_once_its_biases_are_corrected(onnx, tmp_path):
    """As ``studies.int8_symmetric`` measures it, on fewer crops."""
    for seed in (1, 4):
        write_clip(tmp_path / "frames" / f"clip{seed}", seed=seed, count=12)
    words = ["--quiet", "--onnx", onnx, "--frames", tmp_path / "frames", "--out", tmp_path / "ranges"]
    words += ["--method", "entropy", "--crops", "8", "--threads", "1"]
    assert cli.run(calibrate, calibration_arguments(), [*map(str, words)]) == 0
    jobs = int8_jobs(onnx, GraphPrecisions.parse("int8-all"), Int8Options(tmp_path / "ranges", correction_samples=6))
    job = next(job for job in jobs if job.graph.name == "search")
    model, graphs = read_graph(job.source), GraphsInTurn(onnx, tmp_path / "ranges", 4)
    plain_db, corrected_db = (
        decibel(noise(graphs.maps, graphs.variant("search", symmetric_form(form, job.int8, ())))[0])
        for form in (model, with_corrected_biases(model, job, job.int8))
    )
    assert corrected_db >= LEAST_DB
    assert corrected_db >= plain_db + LEAST_GAIN_DB
