from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from runtime.decode import decoders
from siamtrt import InferenceError
from siamtrt.geometry import Square
from tests.doubles.board import KERNELS
from tests.runtime.stub import card, golden_maps, long_term_card, maps_with_score, with_window
from tests.runtime.tensorrt.test_crop import assert_like_opencv, random_frame, stage
from tests.runtime.tensorrt.test_crop import by_kernel as cropped
from tests.runtime.tensorrt.test_decode import POINTS, RPN, by_kernel, random_maps, values

LAUNCH = re.compile(r"(\w+)<<<(\w+, \w+), 0, static_cast<cudaStream_t>\(stream\)>>>\((.*)\);")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """The kernels and their launches as they are written, each thread of a block a thread of the CPU."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    folder = tmp_path_factory.mktemp("threads")
    (folder / "cuda_runtime.h").write_text("")
    for name in ("crop", "decode", "stage"):
        source, launches = LAUNCH.subn(r"launch(\2, [=] { \1(\3); });", (KERNELS / f"{name}.cu").read_text())
        assert launches == 1
        (folder / f"{name}_kernel.inc").write_text(source)
    source, out = Path(__file__).parents[2] / "doubles" / "kernels_threads.cpp", folder / "kernels.so"
    flags = ["-O1", "-Wall", "-Werror", "-ffp-contract=off", "-shared", "-fPIC", "-pthread"]
    subprocess.run([compiler, *flags, f"-I{folder}", f"-I{KERNELS}", "-o", out, source], check=True)
    return ctypes.CDLL(str(out))


def assert_like_numpy(kernels, decoder, maps, width=60, height=40):
    found = by_kernel(kernels, decoder, *maps, width, height)
    np.testing.assert_allclose(values(found), values(decoder.best(*maps, width, height)), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("decoder", [RPN, POINTS])
def test_the_threads_of_a_block_agree_on_the_best_cell(kernels, decoder):
    for seed in range(5):
        assert_like_numpy(kernels, decoder, random_maps(seed, decoder))


def test_the_large_map_of_a_lost_target_too(kernels):
    assert_like_numpy(kernels, decoders(long_term_card())[831], golden_maps(97))


@pytest.mark.parametrize("best", [0, 1, 511, 512, 1024, 1562, 3123, 3124])
def test_the_best_cell_is_found_wherever_it_is(kernels, best):
    decoder = with_window(card(), 0.0)
    cls, loc = maps_with_score(25, 0.1)
    cls[5:].flat[best] = 20
    found = by_kernel(kernels, decoder, cls, loc, 64, 64)
    assert found.score > 0.99
    assert (found.x, found.y) == tuple(decoder.grid[:2, best])


@pytest.mark.parametrize("place", [0, 511, 512, 3124, 3125, 6249])
def test_a_score_that_is_no_number_is_found_by_every_thread(kernels, place):
    cls, loc = random_maps(0, RPN)
    cls.flat[place] = np.nan
    with pytest.raises(InferenceError, match="no numbers"):
        by_kernel(kernels, RPN, cls, loc, 60, 40)


@pytest.mark.parametrize("is_nv12", [False, True])
@pytest.mark.parametrize("out_px", [127, 255])
@pytest.mark.parametrize("side_px", [60, 127, 300])
def test_the_blocks_cover_the_crop(kernels, side_px, out_px, is_nv12):
    frame = random_frame(90, 140, is_nv12=is_nv12)
    assert_like_opencv(kernels, frame, Square(20, 45, side_px, out_px))


@pytest.mark.parametrize("is_nv12", [False, True])
@pytest.mark.parametrize("side_px", [20, 300])
def test_the_blocks_cover_what_is_staged(kernels, side_px, is_nv12):
    frame = random_frame(90, 140, is_nv12=is_nv12)
    square = Square(20, 45, side_px, 127)
    np.testing.assert_array_equal(
        cropped(kernels, stage(kernels, frame, square), square), cropped(kernels, frame, square)
    )
