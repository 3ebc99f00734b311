from __future__ import annotations

import errno
import functools
import json
import logging
import math
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from runtime import draw_target
from runtime.__main__ import COMMANDS
from runtime.readahead import ReadAhead
from runtime.results import LineSink
from runtime.sources import FolderSource, open_source
from runtime.track import track
from runtime.tracker import Tracker
from siamtrt import ArtifactError, BoundingBox, MissingDependencyError, UsageError, cli

BOX = BoundingBox(40, 40, 30, 30)


@pytest.fixture
def folder(tmp_path):
    """Twelve frames whose names sort wrongly as text."""
    source = tmp_path / "frames"
    source.mkdir()
    rng = np.random.default_rng(0)
    for number in range(1, 13):
        cv2.imwrite(str(source / f"{number}.png"), rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
    return source


def run(*argv):
    return cli.run_table("runtime", "", COMMANDS, ["--quiet", *map(str, argv)])


def lines(out, name="boxes.txt"):
    return (out / name).read_text().split()


def test_a_folder_is_tracked_into_text_lines_and_video(tmp_path, folder, tiny_engines, capsys):
    out = tmp_path / "out"
    code = run(
        "track", "--engines", tiny_engines, "--source", folder, "--init", "40,40,30,30", "--out", out, "--annotate"
    )
    assert code == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert len(lines(out)) == 12
    assert lines(out)[0] == "40.0000,40.0000,30.0000,30.0000"
    entries = [json.loads(line) for line in (out / "boxes.jsonl").read_text().splitlines()]
    assert [entry["frame"] for entry in entries] == list(range(12))
    assert entries[0]["score"] is None
    assert 0 <= entries[5]["score"] <= 1
    assert list(entries[5]["times_ms"]) == ["crop", "network", "search", "xcorr", "refit", "decode"]
    times = entries[5]["times_ms"]
    assert times["network"] == pytest.approx(times["search"] + times["xcorr"])
    assert (times["refit"], entries[0]["times_ms"]["search"]) == (None, None)
    assert min(entries[0]["times_ms"]["network"], times["decode"]) > 0
    assert [f"{value:.4f}" for value in entries[7]["box"]] == lines(out)[7].split(",")
    video = cv2.VideoCapture(str(out / "annotated.mp4"))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 12
    assert sorted(path.name for path in out.iterdir()) == ["annotated.mp4", "boxes.jsonl", "boxes.txt"]


def test_two_targets_get_a_folder_each(tmp_path, folder, tiny_engines):
    out = tmp_path / "out"
    other = BoundingBox(80, 50, 20, 24)
    track(tiny_engines, FolderSource(folder), [BOX, other], out)
    assert lines(out / "target1")[0] == str(BOX)
    assert lines(out / "target2")[0] == str(other)
    track(tiny_engines, FolderSource(folder), [other], tmp_path / "alone")
    assert lines(out / "target2") == lines(tmp_path / "alone")


def test_images_come_by_number_not_by_text(folder):
    frames = list(FolderSource(folder).frames())
    np.testing.assert_array_equal(frames[1], cv2.imread(str(folder / "2.png")))
    np.testing.assert_array_equal(frames[11], cv2.imread(str(folder / "12.png")))


def test_an_unreadable_frame_leaves_a_gap_and_the_target_where_it_was(tmp_path, folder, tiny_engines, caplog):
    (folder / "5.png").write_bytes(b"not an image")
    out = tmp_path / "out"
    track(tiny_engines, FolderSource(folder), [BOX], out)
    assert len(lines(out)) == 12
    assert lines(out)[4] == "nan,nan,nan,nan"
    assert "nan" not in lines(out)[5]
    gap = json.loads((out / "boxes.jsonl").read_text().splitlines()[4])
    assert (gap["box"], gap["reason"]) == (None, "unreadable frame")
    assert "5.png is not a readable image" in caplog.text


def test_a_changed_frame_size_stops_and_keeps_what_was_tracked(tmp_path, folder, tiny_engines):
    cv2.imwrite(str(folder / "6.png"), np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(UsageError, match="changed from 160x120 to 60x50"):
        track(tiny_engines, FolderSource(folder), [BOX], tmp_path / "out")
    assert len(lines(tmp_path / "out")) == 5


def test_ctrl_c_keeps_what_was_tracked(tmp_path, folder, tiny_engines, capsys, monkeypatch):
    moved_by = Tracker.moved_by
    calls = []

    def interrupted(self, located):
        calls.append(located)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return moved_by(self, located)

    monkeypatch.setattr(Tracker, "moved_by", interrupted)
    out = tmp_path / "out"
    argv = ["track", "--engines", tiny_engines, "--source", folder, "--init", "40,40,30,30", "--out", out, "--annotate"]
    assert run(*argv) == 130
    assert "what was finished is kept" in capsys.readouterr().err
    assert len(lines(out)) == 4
    assert len((out / "boxes.jsonl").read_text().splitlines()) == 4
    assert int(cv2.VideoCapture(str(out / "annotated.mp4")).get(cv2.CAP_PROP_FRAME_COUNT)) == 4


def test_a_full_disk_keeps_what_was_written(tmp_path, folder, tiny_engines, monkeypatch):
    add = LineSink.add

    def failing(self, frame, states):
        if self._frames == 3 and self._paths[0].name == "boxes.jsonl":
            monkeypatch.setitem(self._streams, self._paths[0], FullStream(self._streams[self._paths[0]]))
        add(self, frame, states)

    monkeypatch.setattr(LineSink, "add", failing)
    with pytest.raises(ArtifactError, match="No space left on device\n  try: free some space"):
        track(tiny_engines, FolderSource(folder), [BOX], tmp_path / "out")
    assert len((tmp_path / "out" / "boxes.jsonl").read_text().splitlines()) == 3


class FullStream:
    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self):
        self._stream.close()


def test_a_box_outside_the_frame_leaves_earlier_results_alone(tmp_path, folder, tiny_engines):
    out = tmp_path / "out"
    track(tiny_engines, FolderSource(folder), [BOX], out, annotate=True)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UsageError, match="outside the frame"):
        track(tiny_engines, FolderSource(folder), [BoundingBox(400, 10, 20, 20)], out, annotate=True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_without_display_and_init_the_first_frame_is_shown_as_a_picture(tmp_path, folder, tiny_engines, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":98")  # of nobody: OpenCV's Qt would end the process
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=r"no display .* first frame is .*first_frame.png\n  try: .*INIT=X,Y,W,H"):
        track(tiny_engines, FolderSource(folder), [], out)
    np.testing.assert_array_equal(cv2.imread(str(out / "first_frame.png")), cv2.imread(str(folder / "1.png")))
    assert [path.name for path in out.iterdir()] == ["first_frame.png"]


def test_a_drawn_box_is_tracked(tmp_path, folder, tiny_engines, monkeypatch):
    monkeypatch.setattr(draw_target, "_OPEN_A_WINDOW", ["true"])
    monkeypatch.setattr(cv2, "selectROI", lambda *_: (40, 40, 30, 30))
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None)
    track(tiny_engines, FolderSource(folder), [], tmp_path / "out")
    assert lines(tmp_path / "out")[0] == str(BOX)


@pytest.mark.parametrize(
    ("given", "tracked"),
    [
        ("-20,10,60,60", BoundingBox(0, 10, 40, 60)),
        ("100,-5,20000,1e9", BoundingBox(100, 0, 60, 120)),
        ("0.1,0.2,159.3,119.7", BoundingBox(0.1, 0.2, 159.3, 119.7)),
    ],
)
def test_of_a_box_the_part_in_the_frame_is_tracked(tmp_path, folder, tiny_engines, given, tracked):
    assert run("track", "--engines", tiny_engines, "--source", folder, f"--init={given}", "--out", tmp_path) == 0
    assert lines(tmp_path)[0] == str(tracked)


def test_the_session_log_tells_the_threads(tmp_path, folder, tiny_engines, caplog):
    caplog.set_level(logging.INFO)
    track(tiny_engines, FolderSource(folder), [BOX], tmp_path, threads=3)
    assert "ONNX Runtime on the CPU, threads: 3" in caplog.text


def test_a_short_term_model_does_not_say_whether_the_target_is_lost(tmp_path, folder, tiny_engines):
    track(tiny_engines, FolderSource(folder), [BOX], tmp_path)
    entries = [json.loads(line) for line in (tmp_path / "boxes.jsonl").read_text().splitlines()]
    assert [entry["lost"] for entry in entries] == [None] * 12


def test_the_codec_of_the_video_is_h264_or_told(tmp_path, folder, tiny_engines, caplog, capfd):
    caplog.set_level(logging.INFO)
    track(tiny_engines, FolderSource(folder), [BOX], tmp_path, annotate=True)
    codec = int(cv2.VideoCapture(str(tmp_path / "annotated.mp4")).get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little")
    assert ("mp4v" in caplog.text) == (codec not in (b"avc1", b"h264"))
    assert capfd.readouterr().err == ""


def test_a_url_is_left_to_opencv(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (64, 48))
    for value in range(7):
        writer.write(np.full((48, 64, 3), 30 * value, np.uint8))
    writer.release()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = open_source(f"http://127.0.0.1:{server.server_port}/clip.mp4")
        assert len(list(source.frames())) == 7
        server.shutdown()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("nowhere.mp4", "no such file or folder"),
        ("rtsp://127.0.0.1:9/camera", "cannot open rtsp"),
        ("camera:99", "cannot open camera:99"),
        ("gst:", "no such file"),
    ],
)
def test_a_source_that_is_not_there_is_refused(source, complaint):
    with pytest.raises(UsageError, match=complaint):
        open_source(source)


def test_a_pipeline_without_gstreamer_says_so(monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GStreamer:                   NO\n")
    with pytest.raises(MissingDependencyError, match="built without GStreamer"):
        open_source("gst:videotestsrc ! appsink")


def test_an_empty_folder_and_a_file_that_is_no_video_are_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no image"):
        open_source(str(tmp_path))
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot open"):
        open_source(str(tmp_path / "empty.mp4"))


def test_a_video_file_is_read_whole(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (64, 48))
    for value in range(7):
        writer.write(np.full((48, 64, 3), 30 * value, np.uint8))
    writer.release()
    source = open_source(str(tmp_path / "clip.mp4"))
    assert (source.count, source.fps) == (7, 25.0)
    means = [frame.mean() for frame in source.frames()]
    np.testing.assert_allclose(means, [30 * value for value in range(7)], atol=4)


@pytest.mark.parametrize("text", ["0,0,0,10", "1,2,3", f"{math.nan},1,2,3"])
def test_a_bad_init_ends_with_the_usage_code(text, folder, tiny_engines, tmp_path, capsys):
    assert run("track", "--engines", tiny_engines, "--source", folder, "--init", text, "--out", tmp_path / "o") == 2
    assert "box" in capsys.readouterr().err


@pytest.mark.timeout(30)
def test_read_ahead_is_bounded_carries_errors_and_stops():
    produced = []

    def endless():
        number = 0
        while True:
            produced.append(number)
            yield number
            number += 1

    with ReadAhead(endless(), depth=2) as items:
        assert [next(items) for _ in range(3)] == [0, 1, 2]
    assert len(produced) <= 7
    assert "read-ahead" not in {thread.name for thread in threading.enumerate()}

    def broken():
        yield 1
        raise ArtifactError("the disk is gone")

    with ReadAhead(broken()) as items:
        assert next(items) == 1
        with pytest.raises(ArtifactError, match="the disk is gone"):
            next(items)


def pipeline_of(source, monkeypatch):
    """The words that *source* hands to an OpenCV with GStreamer."""
    opened = []
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "    GStreamer:    YES (1.16.3)")
    monkeypatch.setattr(cv2, "VideoCapture", lambda *words: opened.append(words) or _Opened())
    open_source(source)
    ((pipeline, backend),) = opened
    assert backend == cv2.CAP_GSTREAMER
    return pipeline


def test_a_csi_camera_is_a_pipeline_of_jetpacks_opencv(monkeypatch):
    pipeline = pipeline_of("csi:1", monkeypatch)
    assert re.match(r"nvarguscamerasrc sensor-id=1 ! video/x-raw\(memory:NVMM\)", pipeline)
    assert re.search(r"format=BGR ! appsink drop=true max-buffers=1$", pipeline)


def test_a_csi_camera_hands_out_nv12_as_it_comes(monkeypatch):
    pipeline = pipeline_of("nv12:csi:1", monkeypatch)
    assert pipeline.startswith("nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM)")
    assert "BGR" not in pipeline
    assert pipeline.endswith("format=NV12 ! appsink drop=true max-buffers=1")


class _Opened:
    def isOpened(self):  # noqa: N802
        return True

    def get(self, _):
        return 0.0
