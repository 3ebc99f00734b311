from __future__ import annotations

import ctypes
import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.crop import crop
from runtime.tensorrt import crop as kernel
from siamtrt.geometry import Square

FILL = (10, 120, 250)
# OpenCV's own code is met exactly; its builds for other processors may round elsewhere.
GREY_LEVELS = 0 if platform.machine() == "x86_64" else 1


@pytest.fixture(scope="module")
def frame():
    return np.random.default_rng(0).integers(0, 256, (90, 140, 3), dtype=np.uint8)


def by_kernel(library, frame, square, fill=FILL):
    """1x3xSxS float32 by the kernel's arithmetic."""
    told = np.zeros(1, kernel.SQUARE)
    kernel.aim(told, square, fill)
    out = np.full((3, square.out_px, square.out_px), np.nan, np.float32)
    height, width = frame.shape[:2]
    frame_at, told_at, out_at = (ctypes.c_void_p(array.ctypes.data) for array in (frame, told, out))
    assert library.siamtrt_crop(frame_at, width, height, told_at, out_at, square.out_px, None) == 0
    return out


def assert_like_opencv(library, frame, square):
    expected = crop(frame, square, FILL).transpose(2, 0, 1).astype(np.float32)
    found = by_kernel(library, frame, square)
    np.testing.assert_allclose(found, expected, rtol=0, atol=GREY_LEVELS)


@pytest.mark.parametrize("side_px", [1, 2, 3, 31, 60, 126, 127, 128, 200, 254, 255, 256, 300, 510, 700])
@pytest.mark.parametrize("out_px", [127, 255])
@pytest.mark.parametrize("center", [(70.0, 45.0), (70.5, 45.5), (0.2, 0.9), (139.9, 3.3), (5.0, 89.5), (70.0, -10.0)])
def test_equals_opencv(cpu_kernels, frame, side_px, out_px, center):
    assert_like_opencv(cpu_kernels, frame, Square(*center, side_px, out_px))


@settings(deadline=None, max_examples=100)
@given(
    x=st.floats(-50, 190), y=st.floats(-50, 140), side_px=st.integers(1, 900), out_px=st.sampled_from([127, 255, 287])
)
def test_everywhere(cpu_kernels, frame, x, y, side_px, out_px):
    assert_like_opencv(cpu_kernels, frame, Square(x, y, side_px, out_px))


def test_outside_the_frame_is_the_fill_in_bgr(cpu_kernels, frame):
    found = by_kernel(cpu_kernels, frame, Square(-500, -500, 100, 127))
    assert [set(np.unique(plane)) for plane in found] == [{10.0}, {120.0}, {250.0}]


def test_unscaled_it_copies(cpu_kernels, frame):
    found = by_kernel(cpu_kernels, frame, Square(63, 45, 127, 127))
    np.testing.assert_array_equal(
        found[:, 45:70, 10:100], crop(frame, Square(63, 45, 127, 127), FILL).transpose(2, 0, 1)[:, 45:70, 10:100]
    )


def test_the_structure_is_the_kernels(cpu_kernels):
    assert kernel.SQUARE.itemsize == 32


@settings(deadline=None, max_examples=100)
@given(x=st.floats(-50, 190), y=st.floats(-50, 140), side_px=st.integers(1, 900))
def test_no_pixel_beside_its_part_of_the_frame_is_read(cpu_kernels, frame, x, y, side_px):
    square = Square(x, y, side_px, 127)
    part = kernel.part_of_frame(square)
    only = np.full_like(frame, 99)
    only[part] = frame[part]
    np.testing.assert_array_equal(by_kernel(cpu_kernels, only, square), by_kernel(cpu_kernels, frame, square))
    assert frame[part].size <= 3 * side_px**2


@settings(deadline=None, max_examples=100)
@given(
    x=st.floats(-50, 190), y=st.floats(-50, 140), side_px=st.integers(1, 900), width=st.sampled_from([3, 47, 140, 144])
)
def test_what_is_staged_is_all_that_a_crop_reads_and_little_more(cpu_kernels, x, y, side_px, width):
    square, (height, border) = Square(x, y, side_px, 127), (90, 2 * 16)
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    staged = stage(cpu_kernels, frame, square)
    np.testing.assert_array_equal(by_kernel(cpu_kernels, staged, square), by_kernel(cpu_kernels, frame, square))
    rows, columns = kernel.part_of_frame(square)
    part = frame[rows, columns]
    written = int((staged != (frame ^ 0xFF)).sum())
    assert written <= part.size + border * part.shape[0] + border


def stage(library, frame, square):
    """A frame that held other pixels, once the kernel was at it."""
    told = np.zeros(1, kernel.SQUARE)
    kernel.aim(told, square, FILL)
    room = -(-frame.size // 16) * 16
    places = [np.zeros(room + 16, np.uint8) for _ in range(2)]
    here, there = (place[-place.ctypes.data % 16 :][:room] for place in places)
    here[: frame.size], there[: frame.size] = frame.ravel(), frame.ravel() ^ 0xFF
    height, width = frame.shape[:2]
    addresses = [ctypes.c_void_p(array.ctypes.data) for array in (here, told, there)]
    assert library.siamtrt_stage(addresses[0], width, height, addresses[1], addresses[2], None) == 0
    return there[: frame.size].reshape(frame.shape)
