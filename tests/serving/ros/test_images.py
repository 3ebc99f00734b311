from __future__ import annotations

import types

import cv2
import numpy as np
import pytest

from serving.ros.images import _ENCODINGS, frame_of, frame_of_compressed
from siamtrt import ArtifactError, UsageError

FRAME = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
SMOOTH = cv2.resize(np.random.default_rng(0).integers(0, 256, (2, 2, 3), dtype=np.uint8), (8, 6))


def message(pixels, encoding, padding=0):
    rows = pixels.reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return types.SimpleNamespace(
        height=pixels.shape[0], width=pixels.shape[1], step=rows.shape[1], encoding=encoding, data=rows.tobytes()
    )


@pytest.mark.parametrize(
    ("encoding", "conversion"),
    [("rgb8", cv2.COLOR_BGR2RGB), ("bgra8", cv2.COLOR_BGR2BGRA), ("rgba8", cv2.COLOR_BGR2RGBA), ("bgr8", None)],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_colours_come_out_as_bgr_whatever_pads_the_rows(encoding, conversion, padding):
    pixels = FRAME if conversion is None else cv2.cvtColor(FRAME, conversion)
    frame = frame_of(message(pixels, encoding, padding))
    np.testing.assert_array_equal(frame, FRAME)
    assert frame.flags.owndata
    assert frame.flags.c_contiguous


def test_grey_is_repeated():
    frame = frame_of(message(FRAME[:, :, :1], "mono8"))
    np.testing.assert_array_equal(frame, FRAME[:, :, :1].repeat(3, 2))


@pytest.mark.parametrize("encoding", ["yuv422", "yuv422_yuy2"])
def test_a_colour_of_a_camera_comes_back(encoding):
    conversion = cv2.COLOR_BGR2YUV_UYVY if encoding == "yuv422" else cv2.COLOR_BGR2YUV_YUY2
    one = np.full((6, 8, 3), (200, 60, 120), np.uint8)
    frame = frame_of(message(cv2.cvtColor(one, conversion), encoding))
    np.testing.assert_allclose(frame, one, atol=4)


def test_an_encoding_that_is_no_picture_is_refused_by_name():
    with pytest.raises(UsageError, match="'32FC1'"):
        frame_of(message(FRAME, "32FC1"))
    assert "bgr8" in _ENCODINGS


@pytest.mark.parametrize("changes", [{"height": 7}, {"width": 9}, {"step": 10}, {"height": 0}, {"data": b""}])
def test_data_that_are_shorter_than_they_say_are_refused(changes):
    damaged = message(FRAME, "bgr8")
    vars(damaged).update(changes)
    with pytest.raises(ArtifactError):
        frame_of(damaged)


def test_compressed_images_are_decoded_or_refused():
    png = types.SimpleNamespace(format="png", data=cv2.imencode(".png", FRAME)[1].tobytes())
    np.testing.assert_array_equal(frame_of_compressed(png), FRAME)
    for data in (b"", b"no image", png.data[:20]):
        with pytest.raises(ArtifactError):
            frame_of_compressed(types.SimpleNamespace(format="png", data=data))
