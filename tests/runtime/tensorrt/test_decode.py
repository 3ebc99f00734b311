from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.decode import decoders
from runtime.tensorrt import decode as kernel
from siamtrt import InferenceError
from siamtrt.card import TrackerConstants
from tests.runtime.stub import card, golden_maps, long_term_card, maps_with_score, with_window

RPN = with_window(card(), 0.42)
POINTS_CARD = card(
    family="ban",
    stride=16,
    score_size=15,
    anchor_ratios=(),
    anchor_scales=(),
    tracker=TrackerConstants(0.15, 0.45, 0.35, source="test"),
)
POINTS = with_window(POINTS_CARD, 0.45)


def found_by_kernel(library, decoder, cls, loc, width, height):
    """The answer of the kernel's arithmetic, as it leaves the GPU."""
    assert (decoder.grid.dtype, decoder.window.dtype) == (np.float32, np.float64)
    arrays = [np.ascontiguousarray(array, np.float32) for array in (cls, loc)] + [decoder.grid, decoder.window]
    maps = kernel.maps_of(decoder, *(array.ctypes.data for array in arrays))
    last, found = np.zeros(1, kernel.LAST), np.zeros(1, kernel.FOUND)
    last["width"], last["height"] = width, height
    addresses = [ctypes.c_void_p(array.ctypes.data) for array in (last, found)]
    assert library.siamtrt_decode(ctypes.byref(maps), *addresses, None) == 0
    return found


def by_kernel(library, *arguments):
    return kernel.candidate(found_by_kernel(library, *arguments))


def values(candidate):
    return [candidate.x, candidate.y, candidate.width, candidate.height, candidate.score, candidate.penalty]


def random_maps(seed, decoder):
    rng = np.random.default_rng(seed)
    count = decoder.window.size
    cls = rng.normal(0, 3, (2, count)).astype(np.float32)
    if decoder.is_points:
        return cls, np.exp(rng.normal(3, 1, (4, count))).astype(np.float32)
    return cls, rng.normal(0, 0.5, (4, count)).astype(np.float32)


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 1 << 32),
    decoder=st.sampled_from([RPN, POINTS]),
    width=st.floats(2, 250),
    height=st.floats(2, 250),
)
def test_equals_numpy(cpu_kernels, seed, decoder, width, height):
    cls, loc = random_maps(seed, decoder)
    expected = values(decoder.best(cls, loc, width, height))
    found = values(by_kernel(cpu_kernels, decoder, cls, loc, width, height))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("model", [card(), long_term_card()])
def test_equals_numpy_on_the_golden_maps_at_each_search_size(cpu_kernels, model):
    for decoder in decoders(model).values():
        score_size = round((decoder.window.size / 5) ** 0.5)
        cls, loc = golden_maps(score_size)
        expected = values(decoder.best(cls, loc, 60, 40))
        np.testing.assert_allclose(
            values(by_kernel(cpu_kernels, decoder, cls, loc, 60, 40)), expected, rtol=1e-5, atol=1e-4
        )


def test_of_equal_cells_the_first_is_taken_as_numpy_does(cpu_kernels):
    decoder = with_window(card(), 0.0)
    cls, loc = np.zeros((10, 25, 25), np.float32), np.zeros((20, 25, 25), np.float32)
    found = by_kernel(cpu_kernels, decoder, cls, loc, 64, 64)
    assert values(found)[:2] == values(decoder.best(cls, loc, 64, 64))[:2] == [-96, -96]


def test_the_least_hopeless_cell_of_the_middle_is_taken(cpu_kernels):
    cls, loc = np.zeros((10, 25, 25), np.float32), np.zeros((20, 25, 25), np.float32)
    cls[:5], cls[8] = 30, 1
    found = by_kernel(cpu_kernels, RPN, cls, loc, 64, 64)
    expected = RPN.best(cls, loc, 64, 64)
    assert found.score == pytest.approx(np.exp(-29), rel=1e-5)
    assert values(found) == pytest.approx(values(expected), rel=1e-5)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("decoder", [RPN, POINTS])
def test_a_score_that_is_no_number_is_an_error_wherever_it_is(cpu_kernels, decoder, broken):
    for place in (0, decoder.window.size, 2 * decoder.window.size - 1):
        cls, loc = random_maps(0, decoder)
        cls.flat[place] = broken
        for decode in (decoder.best, lambda *maps: by_kernel(cpu_kernels, decoder, *maps)):
            with pytest.raises(InferenceError, match="no numbers"):
                decode(cls, loc, 60, 40)


@pytest.mark.parametrize("decoder", [RPN, POINTS])
@pytest.mark.parametrize("plane", range(4))
def test_a_chosen_box_that_is_no_number_is_an_error(cpu_kernels, decoder, plane):
    cls, loc = random_maps(0, decoder)
    middle = decoder.window.size // 2
    cls[:, middle] = -30, 30
    loc[plane, middle] = np.nan
    for decode in (decoder.best, lambda *maps: by_kernel(cpu_kernels, decoder, *maps)):
        with pytest.raises(InferenceError, match="no numbers"):
            decode(cls, loc, 60, 40)


def test_an_overflowing_size_is_never_chosen(cpu_kernels):
    cls, loc = maps_with_score(25, 0.6)
    loc[[12, 17], 12, 12] = 1000
    found = by_kernel(cpu_kernels, with_window(card(), 0.0), cls, loc, 64, 64)
    assert np.isfinite(values(found)).all()
    assert found.width < 1000


def test_the_structures_are_the_kernels(cpu_kernels):
    assert (kernel.FOUND.itemsize, kernel.LAST.itemsize, ctypes.sizeof(kernel.Maps)) == (28, 8, 56)
    assert kernel.FOUND.itemsize <= 64
    # a wrong offset would show here: every field has a value of its own
    cls, loc = maps_with_score(25, 0.9)
    loc[[2, 7, 12, 17], 12, 12] = (0.5, -0.25, np.log(2), np.log(0.5))
    (found,) = found_by_kernel(cpu_kernels, with_window(card(), 0.0), cls, loc, 64, 64).tolist()
    assert found == pytest.approx((32, -16, 128, 32, 0.9, np.exp(-(4 * (208 * 112) ** 0.5 / 128 - 1) * 0.05), 1562))
