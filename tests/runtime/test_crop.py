from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.crop import crop, network_input
from runtime.frames import as_bgr, fill_color
from siamtrt import UsageError
from siamtrt.geometry import Square


@pytest.fixture(scope="module")
def frame():
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def whole_frame_crop(frame, square, fill):
    """The same the long way: pad the whole frame, then cut."""
    pad = 400
    canvas = cv2.copyMakeBorder(frame, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=fill)
    half = (square.side_px + 1) / 2
    left = int(np.floor(square.center_x - half + 0.5)) + pad
    top = int(np.floor(square.center_y - half + 0.5)) + pad
    patch = canvas[top : top + square.side_px, left : left + square.side_px]
    if square.side_px == square.out_px:
        return patch
    return cv2.resize(patch, (square.out_px, square.out_px), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("center", [(60, 45), (0, 0), (120, 90), (3.5, 88.2), (-10, 40)])
@pytest.mark.parametrize("side_px", [1, 20, 63, 127, 260])
def test_padding_the_patch_equals_padding_the_frame(frame, center, side_px):
    square = Square(*center, side_px, 127)
    np.testing.assert_array_equal(crop(frame, square, (1, 2, 3)), whole_frame_crop(frame, square, (1, 2, 3)))


def test_a_square_beside_the_frame_is_all_fill(frame):
    patch = crop(frame, Square(-500, -500, 40, 127), (7, 8, 9))
    assert patch.shape == (127, 127, 3)
    assert (patch == (7, 8, 9)).all()


def test_the_input_is_bgr_in_channels():
    out = np.zeros((1, 3, 2, 2), np.float32)
    network_input(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), out)
    assert out[0].tolist() == [[[0, 3], [6, 9]], [[1, 4], [7, 10]], [[2, 5], [8, 11]]]


def test_the_fill_is_the_truncated_mean():
    frame = np.zeros((1, 4, 3), np.uint8)
    frame[0, :3] = (255, 1, 10)
    assert fill_color(frame) == (191, 0, 7)  # 191.25, 0.75, 7.5


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 4)])
def test_grey_and_bgra_frames_become_bgr(shape):
    frame = np.full(shape, 9, np.uint8)
    assert as_bgr(frame).shape == (5, 6, 3)
    assert (as_bgr(frame) == 9).all()


def test_alpha_is_dropped_and_colours_stay_in_place():
    frame = np.zeros((1, 1, 4), np.uint8)
    frame[0, 0] = (10, 20, 30, 40)
    assert as_bgr(frame)[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        None,
        np.zeros(3, np.uint8),
    ],
    ids=["float", "two channels", "empty", "none", "line"],
)
def test_what_is_no_image_is_refused(frame):
    with pytest.raises(UsageError, match="frame"):
        as_bgr(frame)
