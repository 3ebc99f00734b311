from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.speed.run import Settings, measure
from benchmarks.profiling.speed.speed_report import FORMAT, SpeedReport
from sequences.annotated import load_sequence
from sequences.rendered.command import write_clip
from siamtrt import ArtifactError


@pytest.fixture(scope="module")
def report(tiny_engines, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    write_clip(folder, 7, 8)
    return measure(
        tiny_engines,
        [load_sequence(folder)],
        Settings(Protocol.load("vot2018"), threads=1, warm_up_updates=2),
        command="c",
    )


def test_a_report_comes_back_as_it_was_written(report, tmp_path):
    report.save(tmp_path / "speed.json")
    assert SpeedReport.load(tmp_path / "speed.json") == report


def test_the_file_is_strict_json_with_schema_and_kind(report, tmp_path):
    report.save(tmp_path / "speed.json")
    document = json.loads((tmp_path / "speed.json").read_text())
    assert (document["schema"], document["kind"]) == (FORMAT.schema, "speed")
    assert document["engines_manifest"]["stage"] == "engines"
    assert document["power"]["load"] is None
    assert document["power"]["reasons"]["load"]


def test_every_unknown_condition_has_its_reason(report):
    unknown = [name for name, value in vars(report.conditions).items() if value is None]
    assert sorted(unknown) == sorted(report.conditions.reasons)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": FORMAT.schema + 1}, "a speed report of schema 1: it is 'speed' of schema 2"),
        ({"kind": "layers"}, "it is 'layers' of schema 1"),
        ({"videos": [{}]}, "is not a speed report: "),
        ({"videos": 5}, "is not a speed report: "),
        ({"power": []}, "is not a speed report: "),
        ({"figures": None}, "is not a speed report: "),
        ({"surprise": 1}, "is not a speed report: "),
    ],
)
def test_other_files_are_refused(report, tmp_path, change, complaint):
    report.save(tmp_path / "speed.json")
    document = json.loads((tmp_path / "speed.json").read_text())
    (tmp_path / "speed.json").write_text(json.dumps({**document, **change}))
    with pytest.raises(ArtifactError, match=complaint):
        SpeedReport.load(tmp_path / "speed.json")


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.just([]), st.just({}), st.just([[]]))


def places(node, path=()):
    """The path of every value in a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


@settings(deadline=None)
@given(data=st.data(), junk=JUNK)
def test_a_report_with_junk_anywhere_is_refused_or_read(report, data, junk):
    path, document = (
        Path("speed.json"),
        json.loads(json.dumps({"schema": FORMAT.schema, "kind": "speed", **asdict(report)})),
    )
    *way, last = data.draw(st.sampled_from(sorted(places(document), key=repr)))
    node = document
    for key in way:
        node = node[key]
    node[last] = junk
    try:
        read = FORMAT.build(SpeedReport, FORMAT.fields(document, path), path)
    except ArtifactError:
        return
    assert len(read.videos) == len(document["videos"])


def test_columns_of_different_lengths_are_refused(report, tmp_path):
    report.save(tmp_path / "speed.json")
    document = json.loads((tmp_path / "speed.json").read_text())
    document["videos"][0]["samples"]["stages_ns"]["crop"].pop()
    (tmp_path / "speed.json").write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="differ in length"):
        SpeedReport.load(tmp_path / "speed.json")
