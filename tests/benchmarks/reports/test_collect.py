"""What a bench is of, what it takes from its steps, and how far back it can follow its inputs."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.evaluation.options import RunOptions
from benchmarks.evaluation.vot import protocol
from benchmarks.profiling.power.probe import ProbeChoice
from benchmarks.reports.cards.failures import failures
from benchmarks.reports.collect import collect, paper_trail
from benchmarks.reports.job import Job, truth_sha256
from sequences.annotated import load_sequences
from siamtrt import ArtifactError, GraphPrecisions, Manifest


@pytest.fixture
def job(benched, two_clips, tiny_engines, tmp_path):
    """The finished bench, in a copy that may be spoiled."""
    out = tmp_path / "out"
    shutil.copytree(benched, out)
    sequences = tuple(load_sequences(two_clips))
    return Job(
        tiny_engines, RunOptions(tiny_engines, two_clips, threads=1), sequences, None, out, 2, ProbeChoice(), "c"
    )


def test_a_folder_belongs_to_its_first_request(job):
    job.claim()
    with pytest.raises(ArtifactError, match="results for another request: threads, layer_runs differ"):
        replace(job, run=replace(job.run, threads=2), layer_runs=3).claim()


def test_a_damaged_request_is_no_reason_to_start_anew(job):
    for text in ("{", '{"engines": "as they were kept once"}'):
        (job.out / "request.json").write_text(text)
        with pytest.raises(ArtifactError, match=r"request\.json"):
            job.claim()


def test_the_request_names_what_the_figures_depend_on(job):
    request = json.loads((job.out / "request.json").read_text())["key"]
    assert request["sequences"] == {sequence.name: truth_sha256(sequence) for sequence in job.sequences}
    assert (request["threads"], request["layer_runs"], request["protocol"]["name"]) == (1, 2, "vot2018")
    assert "git_revision" not in request["machine"]


def test_another_probe_or_a_protocol_of_other_numbers_is_another_request(job, tmp_path):
    with pytest.raises(ArtifactError, match="results for another request: probe differ"):
        replace(job, probe=ProbeChoice("none")).claim()
    published = json.loads((Path(protocol.__file__).parents[1] / "protocols" / "vot2018.json").read_text())
    same_name = tmp_path / "mine.json"
    same_name.write_text(json.dumps({**published, "burn_in_frames": 11}))
    with pytest.raises(ArtifactError, match="results for another request: protocol differ"):
        replace(job, run=replace(job.run, protocol=str(same_name))).claim()


def test_truth_has_one_digest_whatever_it_is_called(two_clips, tmp_path):
    shutil.copytree(two_clips / "one", tmp_path / "other")
    (same,), (first, second) = load_sequences(tmp_path), load_sequences(two_clips)
    assert truth_sha256(same) == truth_sha256(first)
    assert truth_sha256(first) != truth_sha256(second)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("speed.json", "no such file"),
        ("layers.json", "no such file"),
        ("vot/times/tracker/one.json", "no such file"),
        ("vot/results/tracker/baseline/two/two_001.txt", "cannot read"),
    ],
)
def test_a_lost_part_is_named(job, name, said):
    (job.out / name).unlink()
    with pytest.raises(ArtifactError, match=f"{said}.*{name.split('/')[-1]}"):
        collect(job)


def test_measures_of_another_run_are_refused(job):
    (job.out / "evaluation.json").write_text('{"trackers": {"someone": {}}}')
    with pytest.raises(ArtifactError, match="has no measures of this bench"):
        collect(job)


def test_a_run_that_forgot_where_the_target_was_lost_is_refused(job):
    with pytest.raises(ArtifactError, match="does not show where the target was lost"):
        failures(job.sequences[0], {"frames": []})


def test_a_lost_box_and_a_target_gone_are_told_apart(job):
    sequence = job.sequences[0]
    found = failures(sequence, {"lost": {"3": "1.5,2.0,30.0,40.0", "9": None}})
    assert [(entry["frame"], entry["prediction"]) for entry in found] == [(3, [1.5, 2.0, 30.0, 40.0]), (9, None)]
    assert found[0]["truth"] == sequence.polygon(3).tolist()


def test_the_chain_ends_where_a_parent_changed(tiny_onnx, tmp_path):
    from tests.built import build

    onnx = tmp_path / "onnx"
    shutil.copytree(tiny_onnx, onnx)
    manifest = build(onnx, tmp_path / "engines", "onnxruntime", GraphPrecisions.parse("fp32"), "again")
    assert paper_trail(manifest) == {"engines": asdict(manifest), "export": {"schema": 1, **export_of(onnx)}}
    for graph in ("target.onnx", "search.onnx", "xcorr.onnx", "model.json"):
        (onnx / graph).write_bytes(b"another")
    assert list(paper_trail(manifest)) == ["engines"]
    shutil.rmtree(onnx)
    assert list(paper_trail(manifest)) == ["engines"]


def export_of(folder):
    return asdict(
        Manifest(**{k: v for k, v in json.loads((folder / "manifest.json").read_text()).items() if k != "schema"})
    )
