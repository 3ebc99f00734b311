from __future__ import annotations

import platform

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.annotate import VideoSink
from runtime.crop import crop
from runtime.frames import as_bgr, fill_color
from runtime.nv12 import Nv12Frame
from runtime.sources import VideoSource, open_source
from runtime.track import track
from runtime.tracker import Tracker
from serving.live.shown import Shown
from serving.web.screen import encode
from siamtrt import UsageError
from siamtrt.geometry import Square
from tests.doubles.clip import BOXES, as_rows, clip, follow, on_the_cpu, picture

FILL = (10, 120, 250)
# Between OpenCV's own ways of converting the same: none, but in some of its builds for ARM.
GREY_LEVELS = 0 if platform.machine() == "x86_64" else 1


@pytest.fixture(scope="module")
def frame():
    """90 rows and 140 columns, every brightness and colour, those out of the range of BT.601 too."""
    return Nv12Frame(np.random.default_rng(0).integers(0, 256, (135, 140), dtype=np.uint8))


def whole(frame):
    """All of it in BGR."""
    return frame.bgr()


def test_the_picture_is_opencvs(frame):
    assert frame.shape == (90, 140, 3)
    expected = cv2.cvtColor(frame.pixels, cv2.COLOR_YUV2BGR_NV12)
    np.testing.assert_allclose(as_bgr(frame).astype(int), expected, rtol=0, atol=GREY_LEVELS)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 150), st.integers(0, 150))
def test_a_part_is_that_part_of_the_whole(frame, top, height, left, width):
    part = slice(top, top + height), slice(left, left + width)
    np.testing.assert_array_equal(frame.bgr(*part), whole(frame)[part])


@settings(deadline=None, max_examples=200)
@given(x=st.floats(-50, 190), y=st.floats(-50, 140), side_px=st.integers(1, 400), out_px=st.sampled_from([127, 255]))
def test_a_crop_is_that_of_the_converted_frame(frame, x, y, side_px, out_px):
    square = Square(x, y, side_px, out_px)
    np.testing.assert_array_equal(crop(frame, square, FILL), crop(whole(frame), square, FILL))


def test_the_fill_is_the_mean_of_the_converted_frame(frame):
    assert fill_color(frame) == fill_color(whole(frame))


def test_a_picture_in_bgr_becomes_what_opencvs_planes_say():
    bgr = picture()
    planes = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    expected = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
    np.testing.assert_allclose(as_bgr(Nv12Frame.of_bgr(bgr)).astype(int), expected, rtol=0, atol=GREY_LEVELS)


@pytest.mark.parametrize("shape", [(91, 140, 3), (90, 141, 3)])
def test_a_picture_of_an_odd_size_has_no_nv12(shape):
    with pytest.raises(UsageError, match=r"has no NV12\n.*even"):
        Nv12Frame.of_bgr(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((136, 140), np.uint8),
        np.zeros((135, 141), np.uint8),
        np.zeros((135, 140, 3), np.uint8),
        np.zeros((135, 140), np.float32),
        np.zeros((0, 140), np.uint8),
        None,
    ],
    ids=["rows", "odd width", "BGR", "float", "empty", "none"],
)
def test_what_is_no_nv12_is_refused(pixels):
    with pytest.raises(UsageError, match="NV12"):
        Nv12Frame(pixels)


def test_boxes_are_those_of_frames_that_were_converted_first(tiny_engines):
    frames = [Nv12Frame.of_bgr(one) for one in clip(picture())]
    found = follow(on_the_cpu(tiny_engines), frames)
    expected = follow(on_the_cpu(tiny_engines), [whole(one) for one in frames])
    np.testing.assert_array_equal(as_rows(found), as_rows(expected))
    assert [state.score for state in found] == [state.score for state in expected]


def test_a_frame_of_another_size_is_refused(tiny_engines):
    with Tracker(on_the_cpu(tiny_engines)) as tracker:
        tracker.start(Nv12Frame.of_bgr(picture()), BOXES[0])
        with pytest.raises(UsageError, match="changed from 160x120 to 140x90"):
            tracker.update(Nv12Frame(np.zeros((135, 140), np.uint8)))


@pytest.fixture
def states(tiny_engines):
    with Tracker(on_the_cpu(tiny_engines)) as tracker:
        return [tracker.start(picture(), BOXES[0])]


def test_what_is_drawn_or_shown_is_the_converted_picture(states, tmp_path, monkeypatch):
    frame, written = Nv12Frame.of_bgr(picture()), []
    monkeypatch.setattr("runtime.annotate.draw_box", lambda *_: None)
    monkeypatch.setattr("runtime.annotate.VideoWriter.write", lambda _, canvas: written.append(canvas))
    VideoSink(tmp_path / "annotated.mp4", 25).add(frame, states)
    np.testing.assert_array_equal(written[0], whole(frame))
    shown = [encode(Shown(one, 0, ((1, states[0]),), {})) for one in (frame, whole(frame))]
    assert shown[0] == shown[1]


@pytest.fixture
def folder(tmp_path):
    """Six frames, and one of them unreadable."""
    source = tmp_path / "frames"
    source.mkdir()
    for number, one in enumerate(clip(picture()), 1):
        cv2.imwrite(str(source / f"{number}.png"), one)
    (source / "3.png").write_bytes(b"no image")
    return source


def test_any_source_is_tracked_in_nv12_by_the_same_command(folder, tiny_engines, tmp_path):
    source = open_source(f"nv12:{folder}")
    assert (source.count, source.fps) == (6, 30)
    frames = list(source.frames())
    assert frames[2] is None
    assert isinstance(frames[0], Nv12Frame)
    for name in ("nv12:", ""):
        track(tiny_engines, open_source(f"{name}{folder}"), BOXES[:1], tmp_path / f"out{name}", annotate=True)
    rows = [(tmp_path / out / "boxes.txt").read_text().split() for out in ("outnv12:", "out")]
    assert len(rows[0]) == len(rows[1]) == 6
    assert rows[0][2] == "nan,nan,nan,nan"
    assert (tmp_path / "outnv12:" / "annotated.mp4").stat().st_size > 0


@pytest.mark.parametrize("text", ["nv12:", "nv12:nowhere", "nv12:csi:x", "nv12:gst:"])
def test_nv12_of_nothing_is_refused(text):
    with pytest.raises(UsageError, match="no such file or folder"):
        open_source(text)


@pytest.mark.parametrize("text", ["nv12:gst:videotestsrc", "nv12:gst:tee name=t ! appsink t. ! appsink"])
def test_a_pipeline_has_one_place_to_ask_for_nv12(text):
    with pytest.raises(UsageError, match=r"has \d appsinks"):
        open_source(text)


class Planes:
    """A capture whose frames are one plane of bytes."""

    def __init__(self, rows, columns, height):
        self._frame, self._height = np.zeros((rows, columns), np.uint8), height

    def isOpened(self):  # noqa: N802
        return True

    def get(self, name):
        return self._height if name == cv2.CAP_PROP_FRAME_HEIGHT else 0

    def read(self):
        return True, self._frame

    def release(self):
        pass


def test_planes_are_never_taken_for_a_grey_picture():
    grey = next(VideoSource(Planes(48, 64, 48), "gst:a").frames())
    assert as_bgr(grey).shape == (48, 64, 3)
    with pytest.raises(UsageError, match=r"gst:a delivers brightness and colours apart\n.*nv12:"):
        next(VideoSource(Planes(72, 64, 48), "gst:a").frames())
    assert next(VideoSource(Planes(72, 64, 48), "nv12:gst:a", nv12=True).frames()).shape == (48, 64, 3)


def test_nv12_whose_rows_may_be_padded_is_refused():
    with pytest.raises(UsageError, match=r"66 pixels wide\n.*multiple of 4"):
        next(VideoSource(Planes(72, 66, 48), "nv12:gst:a", nv12=True).frames())
