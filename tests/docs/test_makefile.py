"""What make takes to be up to date, with commands that only leave their artifact."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
_COMMAND = """#!/bin/sh
echo "$@" >> calls.txt
for word in "$@"; do test "$word" = --annotate || last=$word; done
mkdir -p "$last" && echo done > "$last/manifest.json"
test "$2" != runtime || { echo 1,2,3,4 > "$last/boxes.txt"; test ! -f fail; }
"""


@pytest.fixture
def checkout(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    shutil.copy(MAKEFILE, tmp_path / "Makefile")
    (tmp_path / "python").write_text(_COMMAND)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "siamrpn_lite0.pth").write_text("shipped")
    return tmp_path


def make(folder, *words):
    """The commands that were run, and how make ended."""
    (folder / "calls.txt").unlink(missing_ok=True)
    command = ["make", "-s", "PYTHON=./python", "BOARD=", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    calls = (folder / "calls.txt").read_text().splitlines() if (folder / "calls.txt").exists() else []
    return done, calls


def exported(calls):
    return [call.split("--checkpoint ")[1].split(" --out")[0] for call in calls if call.startswith("-m export")]


def test_a_second_call_does_nothing(checkout):
    assert exported(make(checkout, "engines")[1]) == ["weights/siamrpn_lite0.pth"]
    assert make(checkout, "engines")[1] == []


def test_another_checkpoint_is_exported_however_old_and_remembered(checkout):
    make(checkout, "engines")
    other = checkout / "other one.pth"
    other.write_text("another")
    subprocess.run(["touch", "-d", "2 days ago", other], check=True)
    _, calls = make(checkout, "engines", f"CHECKPOINT={other}")
    assert exported(calls) == [str(other)]
    assert any(call.startswith("-m engines") for call in calls)
    assert make(checkout, "engines")[1] == []
    other.write_text("trained on")
    assert exported(make(checkout, "engines")[1]) == [str(other)]


def test_an_export_from_elsewhere_is_used_as_it_is(checkout):
    folder = checkout / "build" / "nanotrack_v3" / "onnx"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    _, calls = make(checkout, "engines", "MODEL=nanotrack_v3")
    assert [call.split()[1] for call in calls] == ["engines"]


def test_a_missing_checkpoint_is_one_sentence(checkout):
    done, calls = make(checkout, "engines", "MODEL=siamrpn_r50")
    assert done.returncode == 2
    assert calls == []
    assert "there is no checkpoint weights/siamrpn_r50.pth: name one with CHECKPOINT=" in done.stderr


@pytest.mark.parametrize(
    ("precision", "label"),
    [
        ("fp16", "fp16"),
        ("target=fp16,search=int8,xcorr=fp32", "fp16+int8+fp32"),
        ("xcorr=fp32,target=fp16,search=int8", "fp16+int8+fp32"),
        ("target=fp16,search=fp16,xcorr=fp16", "fp16"),
        ("target=int8-all,search=int8,xcorr=int8-all", "int8-all+int8+int8-all"),
    ],
)
def test_engines_are_named_by_what_they_are(checkout, precision, label):
    _, calls = make(checkout, "engines", f"PRECISION={precision}", "FRAMES=frames")
    assert calls[-1].endswith(f"engines/onnxruntime-{label}")


def test_what_was_tracked_stays_when_tracking_ends_badly_and_is_not_taken_for_finished(checkout):
    video = checkout / "a.mp4"
    video.write_text("frames")
    (checkout / "fail").write_text("")
    assert make(checkout, "track", f"SOURCE={video}", "INIT=1,2,3,4")[0].returncode != 0
    assert list((checkout / "build").rglob("boxes.txt"))
    (checkout / "fail").unlink()
    assert len(make(checkout, "track", f"SOURCE={video}", "INIT=1,2,3,4")[1]) == 1
    assert make(checkout, "track", f"SOURCE={video}", "INIT=1,2,3,4")[1] == []


def test_videos_of_one_name_are_two(checkout):
    for folder in ("a", "b"):
        (checkout / folder / "color").mkdir(parents=True)
        _, calls = make(checkout, "track", f"SOURCE={folder}/color", "INIT=1,2,3,4")
        assert any(call.startswith("-m runtime") for call in calls)
    assert len(list((checkout / "build").rglob("boxes.txt"))) == 2


def test_other_frames_calibrate_anew_and_the_same_do_not(checkout):
    assert any(call.startswith("-m calibration") for call in make(checkout, "calibrate", "FRAMES=a")[1])
    assert make(checkout, "engines", "PRECISION=int8")[1][-1].startswith("-m engines")
    assert make(checkout, "engines", "PRECISION=int8")[1] == []
    assert make(checkout, "calibrate", "FRAMES=a")[1] == []
    assert "--frames b" in make(checkout, "calibrate", "FRAMES=b")[1][0]
    assert make(checkout, "engines", "PRECISION=int8")[1][-1].startswith("-m engines")
    assert "--method minmax" in make(checkout, "calibrate", "FRAMES=b", "METHOD=minmax")[1][0]
