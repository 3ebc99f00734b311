from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.vot.results import result_path
from benchmarks.profiling.speed.speed_report import SpeedReport
from benchmarks.profiling.speed.vot_run import summarise
from siamtrt import ArtifactError, UsageError, cli

MS = 1_000_000
BOX = "1.0,2.0,3.0,4.0"


def write_run(root, name, codes, times_ms):
    path = result_path(root / "results", "T", name)
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{code}\n" for code in codes))
    folder = root / "times" / "T"
    folder.mkdir(parents=True, exist_ok=True)
    frames = [None if time is None else time * MS for time in times_ms]
    (folder / f"{name}.json").write_text(json.dumps({"unit": "ns", "frames": frames}))


def write_two(root):
    """10 ms an update and one of 30 ms for the start in ``a``; 20 and 50 in ``b``, with a failure."""
    write_run(root, "a", [1, *[BOX] * 20], [30, *[10] * 20])
    codes = [1, BOX, 2, 0, 0, 0, 0, 1, *[BOX] * 8]
    write_run(root, "b", codes, [50, 20, 20, None, None, None, None, 50, *[20] * 8])


def test_figures_of_a_run_with_known_times(tmp_path):
    write_two(tmp_path)
    found = summarise(tmp_path, "T", command="c").figures
    # The first start and ten updates are the warm-up, four frames were skipped: neither is counted.
    assert (found.frames, found.starts, found.skipped, found.warm_up) == (10 + 12, 2, 4, 11)
    assert found.fps_pooled == pytest.approx(22 / 0.400)
    assert found.fps_mean_of_videos == pytest.approx((10 / 0.100 + 12 / 0.300) / 2)
    assert found.start_ms.p50 == 50
    assert (found.update_ms.p50, found.update_ms.max, found.update_ms.count) == (15, 20, 20)
    assert found.stages_ms == {}


def test_frames_and_failures_of_each_video(tmp_path):
    write_two(tmp_path)
    first, second = summarise(tmp_path, "T", command="c").videos
    assert (first.name, first.failures, first.skipped) == ("a", 0, 0)
    assert first.warm_up.frame == tuple(range(11))
    assert first.samples.frame == tuple(range(11, 21))
    assert (second.failures, second.skipped, len(second.warm_up)) == (1, 4, 0)
    assert second.samples.frame == (0, 1, 2, 7, *range(8, 16))
    assert [index for index, started in zip(second.samples.frame, second.samples.started) if started] == [0, 7]


def test_what_a_vot_run_does_not_keep_is_none_with_a_reason(tmp_path):
    write_two(tmp_path)
    report = summarise(tmp_path, "T", command="c")
    assert report.power.load is None
    assert report.power.reasons == {"load": "a VOT run keeps no power"}
    assert (report.conditions, report.environment, report.engines_manifest) == (None, None, None)
    assert report.videos[0].samples.began_ns is None
    report.save(tmp_path / "speed.json")
    assert SpeedReport.load(tmp_path / "speed.json") == report


def test_a_video_shorter_than_the_warm_up_is_left_out(tmp_path):
    write_run(tmp_path, "a", [1, *[BOX] * 4], [30, *[10] * 4])
    write_run(tmp_path, "b", [1, *[BOX] * 9], [30, *[10] * 9])
    found = summarise(tmp_path, "T", command="c")
    assert [video.name for video in found.videos] == ["b"]
    assert (found.figures.warm_up, found.figures.frames) == (11, 4)


def test_missing_times_are_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no times of T"):
        summarise(tmp_path, "T", command="c")
    write_run(tmp_path, "a", [1, BOX], [30, 10])
    with pytest.raises(UsageError, match="no frame was tracked"):
        summarise(tmp_path, "T", command="c")


@pytest.mark.parametrize("frames", [[1], "lots", [1, 2, "3"], [1, 2, 0], [1, 2, 0.5], None])
def test_damaged_times_are_refused(tmp_path, frames):
    write_run(tmp_path, "a", [1, BOX, BOX], [30, 10, 10])
    (tmp_path / "times/T/a.json").write_text(json.dumps({"frames": frames}))
    with pytest.raises(ArtifactError, match=r"a\.json"):
        summarise(tmp_path, "T", command="c")


def test_the_command_reads_a_vot_run(tmp_path, capsys):
    write_two(tmp_path)
    argv = ["--quiet", "speed", "--run", str(tmp_path), "--tracker", "T", "--out", str(tmp_path / "speed.json")]
    assert cli.run_table("benchmarks", "", COMMANDS, argv) == 0
    assert "FPS, pooled                     55.0" in capsys.readouterr().out
    assert SpeedReport.load(tmp_path / "speed.json").title == "T"
    assert cli.run_table("benchmarks", "", COMMANDS, ["speed", "--run", str(tmp_path)]) == 2
