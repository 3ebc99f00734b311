from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.power.probe import ProbeChoice
from benchmarks.profiling.speed.run import Settings, measure
from benchmarks.profiling.speed.speed_report import SpeedReport
from benchmarks.profiling.speed.table import setting_of
from sequences.annotated import load_sequence
from sequences.rendered.command import write_clip
from siamtrt import UsageError, cli
from tests.benchmarks.profiling.power.boards import FOR_EVER, iio, program, write
from tests.benchmarks.profiling.speed.clips import write_kept

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_kept(tmp_path_factory.mktemp("sequences") / "clip")


def timed(engines, *folders, **options):
    settings = Settings(Protocol.load("vot2018"), threads=1, **options)
    return measure(engines, [load_sequence(folder) for folder in folders], settings, command="c")


def test_every_call_is_there_with_its_stages(tiny_engines, clip):
    report = timed(tiny_engines, clip, warm_up_updates=3)
    (video,) = report.videos
    assert video.warm_up.frame == (0, 1, 2, 3)
    assert video.warm_up.started == (True, False, False, False)
    assert video.samples.frame == tuple(range(20))
    assert video.samples.started == (True, *[False] * 19)
    stages = video.samples.stages_ns
    for stage in ("crop", "search", "xcorr", "decode", "target", "refit"):
        ran = [ns is not None for ns in stages[stage]]
        assert ran == [stage == "crop" or (stage in ("target", "refit")) == start for start in video.samples.started]
    for at, total in enumerate(video.samples.total_ns):
        assert 0 < sum(column[at] or 0 for column in stages.values()) <= total


def test_the_window_leaves_out_images_and_the_figures_follow_from_the_samples(tiny_engines, clip):
    report = timed(tiny_engines, clip, warm_up_updates=0)
    (video,) = report.videos
    samples = video.samples
    ends = [began + total for began, total in zip(samples.began_ns, samples.total_ns)]
    assert all(end <= began for end, began in zip(ends, samples.began_ns[1:]))
    assert report.figures.fps_pooled == pytest.approx(20 / (sum(samples.total_ns) / 1e9))
    assert report.figures.warm_up == 1
    assert "decoded outside" in report.window


def test_skipped_frames_are_counted_nowhere(tiny_engines, clip, tmp_path):
    report = timed(tiny_engines, clip, write_kept(tmp_path / "lost", lost_at=6))
    whole, lost = report.videos
    assert (whole.failures, whole.skipped) == (0, 0)
    assert (lost.failures, lost.skipped) == (1, 4)
    assert lost.samples.frame == (*range(7), *range(11, 20))
    assert [at for at, start in zip(lost.samples.frame, lost.samples.started) if start] == [0, 11]
    assert (report.figures.frames, report.figures.starts, report.figures.skipped) == (36, 3, 4)
    assert report.figures.fps_mean_of_videos == pytest.approx((whole.fps + lost.fps) / 2)


def test_the_paper_trail(tiny_engines, clip):
    report = timed(tiny_engines, clip)
    assert report.title == "tiny onnxruntime fp32"
    assert report.engines_manifest["settings"]["backend"] == "onnxruntime"
    assert set(report.engines_manifest["files"]) >= {"target.onnx", "search.onnx", "xcorr.onnx"}
    assert report.environment["packages"]["numpy"]
    assert report.power.reasons == {"load": "power was not asked for"}


def test_power_is_cut_to_the_frames_between_decodings(tiny_engines, clip, tmp_path):
    probe = ProbeChoice("ina3221", iio(tmp_path), interval_s=0.005)
    report = timed(tiny_engines, clip, probe=probe, idle_s=0.05, block_bytes=1)
    power, (video,) = report.power, report.videos
    assert power.reasons.keys() == {"gpu_max_avg_w"}
    # A block of one byte holds one frame, so every call is a window of its own, filled by the call.
    assert len(power.windows_ns) == 20
    assert power.windows_ns[7][0] == video.samples.began_ns[7]
    assert power.timed_share == pytest.approx(1)
    assert power.idle_window_ns[1] < video.warm_up.began_ns[0]
    assert power.load["total"].mean_w == pytest.approx(1.875)
    energy_j = 1.875 * sum(video.samples.total_ns) / 1e9
    assert power.joules_a_frame == pytest.approx(energy_j / 20)
    assert power.joules_a_frame_above_idle == pytest.approx(0, abs=1e-9)


def test_a_probe_that_dies_does_not_end_the_run(tiny_engines, clip, tmp_path):
    command = program(tmp_path, "for _ in range(3):\n    show(line)\nsys.exit(3)")
    report = timed(tiny_engines, clip, probe=ProbeChoice("tegrastats", tmp_path, command, 0.01))
    assert report.figures.frames == 20
    assert report.power.load is None
    assert "tegrastats ended with code 3" in report.power.reasons["load"]


def test_clock_and_temperature_come_from_tegrastats_where_sysfs_is_silent(tiny_engines, clip, tmp_path):
    probe = ProbeChoice("tegrastats", tmp_path, program(tmp_path, FOR_EVER.format(0.001)), 0.001)
    report = timed(tiny_engines, clip, probe=probe)
    assert report.power.load["total"].mean_w == pytest.approx(5.258)
    assert report.conditions.gpu_mhz == (114, 114)
    assert not any("clock was free" in warning for warning in report.figures.warnings)
    assert report.conditions.temperatures_end_c["GPU"] == 35
    assert report.power.gpu_max_avg_w == pytest.approx(0.467)


def test_a_clock_that_is_free_to_change_is_warned_of(tiny_engines, clip, tmp_path):
    gpu = "sys/class/devfreq/17000000.gv11b"
    write(tmp_path, {f"{gpu}/min_freq": "114750000", f"{gpu}/max_freq": "1377000000", f"{gpu}/cur_freq": "675750000"})
    report = timed(tiny_engines, clip, probe=ProbeChoice("none", tmp_path))
    assert "seen at 676 to 676 MHz" in report.figures.warnings[-1]


def test_a_single_frame_cannot_be_timed(tiny_engines, tmp_path):
    write_clip(tmp_path, 7, 2)
    (tmp_path / "color/00000002.jpg").unlink()
    lines = (tmp_path / "groundtruth.txt").read_text().split()
    (tmp_path / "groundtruth.txt").write_text(lines[0] + "\n")
    with pytest.raises(UsageError, match="has no second frame"):
        timed(tiny_engines, tmp_path)


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", "speed", *map(str, argv)])


def test_the_command_runs_sequences_and_prints_figures(tiny_engines, clip, tmp_path, capsys):
    out = tmp_path / "speed.json"
    power = ("--root", iio(tmp_path / "board"), "--interval-s", 0.005, "--idle-s", 0.05)
    assert run("--engines", tiny_engines, "--sequences", clip.parent, "--only", "clip", "--out", out, *power) == 0
    printed = capsys.readouterr().out
    for line in (
        "FPS, pooled",
        "FPS, mean of the videos",
        "update",
        "  xcorr",
        "  rest",
        "J a frame",
        "warning: 19 updates",
    ):
        assert line in printed
    assert SpeedReport.load(out).command.startswith("python -m benchmarks")


def test_the_command_takes_a_clip_and_says_why_there_is_no_power(tiny_engines, clip, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jtop", None)
    board = ("--root", tmp_path, "--tegrastats", tmp_path / "none")
    assert run("--engines", tiny_engines, "--clip", clip, *board) == 0
    assert "power: not measured: this machine has no INA3221" in capsys.readouterr().out
    assert run("--engines", tiny_engines, "--clip", clip, "--probe", "tegrastats", *board) == 8


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("--clip", "x", "--sequences", "y"),
        ("--clip", "x", "--warm-up", -1),
        ("--clip", "x", "--block-mib", 0),
        ("--clip", "x", "--idle-s", -1),
        ("--clip", "x", "--idle-s", "nan"),
        ("--clip", "x", "--idle-s", "inf"),
    ],
)
def test_an_unclear_request_is_refused(tiny_engines, given):
    assert run("--engines", tiny_engines, *given) == 2


def test_ctrl_c_leaves_no_report_and_no_process_and_a_second_run_is_whole(tiny_engines, clip, tmp_path):
    marker = tmp_path / "pid"
    command = program(tmp_path, f"open({str(marker)!r}, 'a').write(str(os.getpid()) + ' ')\n" + FOR_EVER.format(0.01))
    words = [sys.executable, "-m", "benchmarks", "speed", "--engines", tiny_engines, "--clip", clip, "--out"]
    words += [tmp_path / "out/speed.json", "--probe", "tegrastats", "--tegrastats", command, "--interval-s", 0.01]
    running = subprocess.Popen([*map(str, words), "--idle-s", "60"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while running.poll() is None and not (marker.exists() and marker.read_text()):
        time.sleep(0.01)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, complaint = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
    assert not (tmp_path / "out").exists()
    (pid,) = marker.read_text().split()
    assert not Path(f"/proc/{pid}").exists()
    again = subprocess.run([*map(str, words), "--idle-s", "0"], cwd=ROOT, capture_output=True, check=True)
    assert b"FPS, pooled" in again.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["speed.json"]
    assert len(SpeedReport.load(tmp_path / "out/speed.json").videos[0].samples) == 20


@pytest.mark.parametrize(("asked", "schedule"), [(None, 1), ("block", 4)])
def test_a_benchmark_waits_for_the_gpu_on_a_core_and_says_how(board, clip, asked, schedule):
    double = board()
    double.build()
    report = timed(double.out, clip, warm_up_updates=1, wait=asked)
    assert double.cudart.schedule == schedule
    assert report.wait == (asked or "spin")
    assert setting_of(report).endswith(f"waits by {asked or 'spin'}")


def test_nothing_is_waited_for_on_the_cpu(tiny_engines, clip):
    assert timed(tiny_engines, clip, warm_up_updates=1).wait is None
    with pytest.raises(UsageError, match="no GPU to wait for"):
        timed(tiny_engines, clip, warm_up_updates=1, wait="spin")
