from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.tracker import TrackerState
from serving.live.recorder import Recorder, find
from siamtrt import ArtifactError, BoundingBox
from siamtrt.geometry import Place

BOX = BoundingBox(1, 2, 3, 4)
STATE = TrackerState(BOX, Place.given(BOX), 0.5, None, {"crop": 2000000}, (10, 10, 3), (0, 0, 0))


def test_a_line_a_frame_and_target(tmp_path):
    recorder = Recorder(tmp_path / "new")
    recorder.add(0, [(1, STATE)])  # nothing is being recorded
    recorder.start()
    recorder.add(7, [(1, STATE), (3, None)])
    recorder.stop()
    recorder.add(8, [(1, STATE)])
    lines = [json.loads(line) for line in (tmp_path / "new" / recorder.last).read_text().splitlines()]
    assert [(line["target"], line["frame"], line["box"]) for line in lines] == [(1, 7, [1, 2, 3, 4]), (3, 7, None)]
    assert (lines[0]["score"], lines[0]["times_ms"]["crop"]) == (0.5, 2.0)
    assert (recorder.lines, recorder.name) == (2, None)


def test_recordings_never_replace_each_other(tmp_path):
    one, other = Recorder(tmp_path), Recorder(tmp_path)
    for recorder in (one, other, one):
        recorder.start()
        recorder.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"recording-00{number}.jsonl" for number in (1, 2, 3)]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ArtifactError, match="cannot write"):
            Recorder(folder).start()


def test_a_full_disk_ends_the_recording_and_says_so(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.start()
    recorder._stream.close()
    recorder._stream = Path("/dev/full").open("w")  # noqa: SIM115  the recorder closes it
    with pytest.raises(ArtifactError, match="No space left"):
        recorder.add(0, [(1, STATE)])
    assert recorder.name is None


def test_only_recordings_of_the_folder_itself_are_found(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "recording-001.jsonl").write_text("")
    (tmp_path / "secret.jsonl").write_text("")
    (folder / "notes.txt").write_text("")
    (folder / "recording-002.jsonl").symlink_to(tmp_path / "secret.jsonl")
    assert find(folder, "recording-001.jsonl") == folder / "recording-001.jsonl"
    outside = (
        "../secret.jsonl",
        "notes.txt",
        "recording-002.jsonl",
        "recording-003.jsonl",
        "recording-001.jsonl\n",
        "",
    )
    assert [find(folder, name) for name in outside] == [None] * len(outside)
