from __future__ import annotations

import ctypes
import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.crop import crop
from runtime.nv12 import Nv12Frame
from runtime.tensorrt import crop as kernel
from siamtrt.geometry import Square

FILL = (10, 120, 250)
# OpenCV's own code is met exactly; its builds for other processors may round elsewhere, when they scale and when they
# convert NV12.
GREY_LEVELS = {False: 0, True: 0} if platform.machine() == "x86_64" else {False: 1, True: 2}


@pytest.fixture(scope="module", params=["BGR", "NV12"])
def frame(request):
    return random_frame(90, 140, is_nv12=request.param == "NV12")


def random_frame(height, width, *, is_nv12=False):
    shape = (height // 2 * 3, width) if is_nv12 else (height, width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Nv12Frame(pixels) if is_nv12 else pixels


def in_memory(frame):
    """Its pixels, and what the kernels are told of them: width, height, whether they are NV12."""
    is_nv12 = isinstance(frame, Nv12Frame)
    return frame.pixels if is_nv12 else frame, (frame.shape[1], frame.shape[0], int(is_nv12))


def with_pixels(frame, pixels):
    return Nv12Frame(pixels) if isinstance(frame, Nv12Frame) else pixels


def by_kernel(library, frame, square, fill=FILL):
    """1x3xSxS float32 by the kernel's arithmetic."""
    told = np.zeros(1, kernel.SQUARE)
    kernel.aim(told, square, fill)
    out = np.full((3, square.out_px, square.out_px), np.nan, np.float32)
    pixels, layout = in_memory(frame)
    frame_at, told_at, out_at = (ctypes.c_void_p(array.ctypes.data) for array in (pixels, told, out))
    assert library.siamtrt_crop(frame_at, *layout, told_at, out_at, square.out_px, None) == 0
    return out


def assert_like_opencv(library, frame, square):
    expected = crop(frame, square, FILL).transpose(2, 0, 1).astype(np.float32)
    found = by_kernel(library, frame, square)
    np.testing.assert_allclose(found, expected, rtol=0, atol=GREY_LEVELS[isinstance(frame, Nv12Frame)])


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
    pixels, _ = in_memory(frame)
    only = np.full_like(pixels, 99)
    for part in parts_of(frame, square):
        only[part] = pixels[part]
    np.testing.assert_array_equal(
        by_kernel(cpu_kernels, with_pixels(frame, only), square), by_kernel(cpu_kernels, frame, square)
    )
    most = 3 / 2 * (side_px + 2) ** 2 if isinstance(frame, Nv12Frame) else 3 * side_px**2
    assert sum(pixels[part].size for part in parts_of(frame, square)) <= most


def parts_of(frame, square):
    """Where in a frame's pixels those lie that a crop reads."""
    part = kernel.part_of_frame(square)
    return frame.parts(*part) if isinstance(frame, Nv12Frame) else (part,)


@settings(deadline=None, max_examples=100)
@given(
    x=st.floats(-50, 190),
    y=st.floats(-50, 140),
    side_px=st.integers(1, 900),
    width=st.sampled_from([3, 47, 140, 144]),
    is_nv12=st.booleans(),
)
def test_what_is_staged_is_all_that_a_crop_reads_and_little_more(cpu_kernels, x, y, side_px, width, is_nv12):
    square, border = Square(x, y, side_px, 127), 2 * 16
    frame = random_frame(90, width - width % 2 if is_nv12 else width, is_nv12=is_nv12)
    staged = stage(cpu_kernels, frame, square)
    np.testing.assert_array_equal(by_kernel(cpu_kernels, staged, square), by_kernel(cpu_kernels, frame, square))
    pixels, _ = in_memory(frame)
    parts = [pixels[part] for part in parts_of(frame, square)]
    written = int((in_memory(staged)[0] != (pixels ^ 0xFF)).sum())
    assert written <= sum(part.size + border * part.shape[0] + border for part in parts)


def stage(library, frame, square):
    """A frame that held other pixels, once the kernel was at it."""
    told = np.zeros(1, kernel.SQUARE)
    kernel.aim(told, square, FILL)
    pixels, layout = in_memory(frame)
    room = -(-pixels.size // 16) * 16
    places = [np.zeros(room + 16, np.uint8) for _ in range(2)]
    here, there = (place[-place.ctypes.data % 16 :][:room] for place in places)
    here[: pixels.size], there[: pixels.size] = pixels.ravel(), pixels.ravel() ^ 0xFF
    addresses = [ctypes.c_void_p(array.ctypes.data) for array in (here, told, there)]
    assert library.siamtrt_stage(addresses[0], *layout, addresses[1], addresses[2], None) == 0
    return with_pixels(frame, there[: pixels.size].reshape(pixels.shape))
