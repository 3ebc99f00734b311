"""What a GPU has to do, tried on the doubles here and, with the marker ``gpu``, on a GPU where there is one."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import subprocess
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import pytest

from runtime.crop import crop
from runtime.decode import decoders
from runtime.frames import as_bgr
from runtime.nv12 import Nv12Frame
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tensorrt import compiled
from runtime.tensorrt.chain import Chain, ChainOptions
from runtime.tensorrt.crop import CropKernel
from runtime.tensorrt.decode import DecodeKernel
from runtime.tensorrt.device import Device
from runtime.tensorrt.locator import open_targets
from runtime.tensorrt.matcher import TensorrtMatcher
from runtime.tracker import Tracker
from siamtrt import GraphPrecisions, InferenceError, MissingDependencyError, ModelCard, ParityError
from siamtrt.geometry import Square
from siamtrt.libraries import cuda
from tests import tiny
from tests.built import build
from tests.doubles.board import KERNELS
from tests.doubles.clip import BOXES, FILL, as_rows, clip, picture, read
from tests.doubles.counted import Counted
from tests.runtime.stub import card, golden_maps, long_term_card
from tests.runtime.tensorrt.test_decode import POINTS_CARD, random_maps, values

TEMPLATE, SEARCH = Square(60, 60, 80, 127), Square(60, 60, 160, 255)
SQUARES = [
    Square(x, y, side, px) for x, y in [(70, 45.5), (1, 2), (159, 119)] for side in (31, 255, 400) for px in (127, 255)
]


@dataclass
class Machine:
    """Attributes: cudart: counted. is_gpu: it is no double."""

    cudart: Counted
    is_gpu: bool

    @property
    def library(self) -> Any:
        return compiled.load_kernels()


@pytest.fixture(params=["double", pytest.param("gpu", marks=pytest.mark.gpu)])
def machine(request, monkeypatch):
    if request.param == "double":
        cudart = Counted(request.getfixturevalue("board")(integrated=False).cudart)
    else:
        cudart = Counted(_real_cudart())
        library = _compiled_for(cudart, request.getfixturevalue("tmp_path"))
        monkeypatch.setattr(compiled, "load_kernels", lambda: library)
    monkeypatch.setattr(cuda, "load", lambda: cudart)
    return Machine(cudart, request.param == "gpu")


def _real_cudart():
    try:
        library = cuda.load()
        cuda.compute_capability(library)
    except (MissingDependencyError, InferenceError) as error:
        pytest.skip("needs a GPU: " + str(error).splitlines()[0])
    return library


def _compiled_for(cudart, folder):
    with contextlib.suppress(MissingDependencyError):
        return compiled.load_kernels()
    if shutil.which("nvcc") is None:
        pytest.skip(f"needs nvcc, or the kernels compiled: sh {KERNELS}/build.sh")
    architecture = "sm_" + cuda.compute_capability(cudart).replace(".", "")
    subprocess.run(["sh", str(KERNELS / "build.sh"), architecture, str(folder)], check=True)
    return ctypes.CDLL(str(folder / "libsiamtrt_kernels.so"))


@pytest.fixture
def device(machine):
    opened = Device()
    yield opened
    opened.close()


def uploaded(device, values):
    buffer = device.buffer(values.shape, values.dtype, mapped=False)
    buffer.host[...] = values
    device.send(buffer)
    return buffer


def fetched(device, buffer):
    device.fetch(buffer)
    device.synchronize()
    return buffer.host


@pytest.mark.parametrize("is_nv12", [False, True])
@pytest.mark.parametrize("mapped", [True, False])
def test_the_crop_equals_opencv(machine, device, mapped, is_nv12):
    pixels = np.random.default_rng(0).integers(0, 256, (180, 160) if is_nv12 else (120, 160, 3), dtype=np.uint8)
    frame = Nv12Frame(pixels) if is_nv12 else pixels
    on_gpu = device.buffer(pixels.shape, np.uint8, mapped=mapped)
    on_gpu.host[...] = pixels
    device.send(on_gpu)
    cropping = CropKernel(device, machine.library)
    for square in SQUARES:
        out = device.buffer((3, square.out_px, square.out_px), np.float32, mapped=False)
        cropping.aim(square, FILL)
        cropping.enqueue(on_gpu, out.address, square.out_px)
        expected = crop(frame, square, FILL).transpose(2, 0, 1)
        np.testing.assert_allclose(fetched(device, out), expected, rtol=0, atol=2 if is_nv12 else 1)


@pytest.mark.parametrize("model", [card(), POINTS_CARD, long_term_card()], ids=["rpn", "ban", "long-term"])
def test_the_decode_equals_numpy(machine, device, model):
    for decoder in decoders(model).values():
        count = decoder.window.size
        cls, loc = (
            uploaded(device, np.zeros((2, count), np.float32)),
            uploaded(device, np.zeros((4, count), np.float32)),
        )
        decoding = DecodeKernel(device, machine.library, decoder, cls.address, loc.address)
        answers = [random_maps(seed, decoder) for seed in range(5)]
        if not decoder.is_points:
            answers.append(golden_maps(round((count / 5) ** 0.5)))
        for maps in answers:
            for buffer, value in zip((cls, loc), maps):
                buffer.host[...] = value.reshape(buffer.host.shape)
                device.send(buffer)
            decoding.aim(60, 40)
            decoding.enqueue()
            device.synchronize()
            expected = values(decoder.best(*maps, 60, 40))
            np.testing.assert_allclose(values(decoding.found()), expected, rtol=1e-4, atol=1e-3)


def test_a_score_that_is_no_number_is_found_in_every_block_of_cells(machine, device):
    (decoder,) = decoders(card()).values()
    maps = random_maps(0, decoder)
    cls, loc = (uploaded(device, value) for value in maps)
    decoding = DecodeKernel(device, machine.library, decoder, cls.address, loc.address)
    decoding.aim(60, 40)
    for place in (0, 511, 512, 3124, 3125, 6249):
        cls.host[...] = maps[0]
        cls.host.flat[place] = np.nan
        device.send(cls)
        decoding.enqueue()
        device.synchronize()
        with pytest.raises(InferenceError, match="no numbers"):
            decoding.found()


def test_a_captured_graph_does_what_the_host_says_now(machine, device):
    frame = device.buffer((120, 160, 3), np.uint8)
    cropping, out = CropKernel(device, machine.library), device.buffer((3, 127, 127), np.float32, mapped=False)

    def enqueue():
        device.send(frame)
        cropping.enqueue(frame, out.address, 127)

    def answer(run):
        found = []
        for step, picture_now in enumerate(clip(picture(), 4)):
            frame.host[...] = picture_now
            cropping.aim(Square(50 + 9 * step, 60, 90 + step, 127), (step, 0, 0))
            run()
            found.append(fetched(device, out).copy())
        return found

    plain = answer(enqueue)
    graph = device.capture(enqueue)
    np.testing.assert_array_equal(answer(lambda: device.launch(graph)), plain)
    assert len({found.tobytes() for found in plain}) == 4
    device.forget(graph)


@pytest.fixture(params=["fp32", "fp16"])
def engines(request, machine, tmp_path, tiny_onnx):
    """Of the tiny model, by the TensorRT of this machine."""
    if machine.is_gpu:
        pytest.importorskip("tensorrt", reason="needs TensorRT beside the GPU")
    build(tiny_onnx, tmp_path / "built", "tensorrt", GraphPrecisions.parse(request.param), "make engines")
    return tmp_path / "built"


def test_a_refitted_engine_answers_as_onnx_runtime(machine, engines, tiny_onnx):
    reference = OnnxMatcher(tiny_onnx, ModelCard.load(tiny_onnx))
    for graphs in (True, False):
        matcher = TensorrtMatcher(Chain(*read(engines), ChainOptions(decode=False, graphs=graphs)))
        for template in (TEMPLATE, Square(100, 40, 50, 127)):
            for backend in (reference, matcher):
                backend.remember(picture(), template, FILL)
            expected, found = (backend.match(picture(), SEARCH, FILL) for backend in (reference, matcher))
            for name in ("cls", "loc"):
                ours, theirs = getattr(found, name), getattr(expected, name)
                assert np.abs(ours - theirs).max() < 0.02 * np.ptp(theirs)
        matcher.close()


def test_graph_and_plain_and_host_choose_one_box(machine, engines):
    found = []
    for settings in ({}, {"graphs": False}, {"decode": False}, {"mapped": True}):
        (backend,) = open_targets(*read(engines), options=ChainOptions(**settings))
        backend.remember(picture(), TEMPLATE, FILL)
        sizes = [(60, 60), (90, 30)]
        found.append([astuple(backend.locate(picture(), SEARCH, FILL, size).candidate) for size in sizes])
        backend.close()
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-3, atol=1e-2)


def test_a_frame_is_one_launch_one_wait_one_picture_in_and_one_box_out(machine, engines):
    (locator,) = open_targets(*read(engines), options=ChainOptions(mapped=False))
    locator.remember(picture(), TEMPLATE, FILL)
    machine.cudart.forget()
    for _ in range(3):
        locator.locate(picture(), SEARCH, FILL, (60, 60))
    assert machine.cudart.calls == {"cudaGraphLaunch": 3, "cudaStreamSynchronize": 3}
    assert machine.cudart.copied == {1: 3 * picture().nbytes, 2: 3 * 28}
    locator.close()


@pytest.mark.parametrize("settings", [{"mapped": False}, {"mapped": True}, {"mapped": True, "staged": True}])
def test_frames_in_nv12_are_half_the_upload_and_give_the_boxes_of_converted_ones(machine, engines, settings):
    frames = [Nv12Frame.of_bgr(one) for one in clip(picture())]
    found = []
    for ones in (frames, [as_bgr(one) for one in frames]):
        (locator,) = open_targets(*read(engines), options=ChainOptions(**settings))
        with Tracker(locator) as tracker:
            tracker.start(ones[0], BOXES[0])
            machine.cudart.forget()
            states = [tracker.update(one) for one in ones[1:]]
        found.append((as_rows(states), machine.cudart.copied.get(1, 0)))
    (boxes, sent), (expected, sent_in_bgr) = found
    np.testing.assert_allclose(boxes, expected, rtol=1e-3, atol=1e-2)
    assert 2 * sent == sent_in_bgr == (0 if settings["mapped"] else 5 * picture().nbytes)


def test_the_kind_of_frame_may_change_between_two(machine, engines):
    in_nv12 = Nv12Frame.of_bgr(picture())
    (locator,) = open_targets(*read(engines))
    locator.remember(as_bgr(in_nv12), TEMPLATE, FILL)
    found = [astuple(locator.locate(one, SEARCH, FILL, (60, 60)).candidate) for one in (as_bgr(in_nv12), in_nv12)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-2)
    locator.close()


def test_a_stale_kernel_is_found_out(machine, engines, monkeypatch):
    (locator,) = open_targets(*read(engines))
    locator.remember(picture(), TEMPLATE, FILL)
    monkeypatch.setattr("runtime.tensorrt.engine.Engine.refit", lambda *arguments: None)
    with pytest.raises(ParityError, match="after the refit"):
        locator.remember(picture(), Square(100, 40, 50, 127), FILL)
    with pytest.raises(InferenceError, match="no target was remembered"):
        locator.locate(picture(), SEARCH, FILL, (60, 60))
    locator.close()


def test_targets_share_engines_whose_kernels_are_inputs(machine, tmp_path):
    if machine.is_gpu:
        pytest.importorskip("tensorrt", reason="needs TensorRT beside the GPU")
    tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    build(tmp_path / "onnx", tmp_path / "inputs", "tensorrt", GraphPrecisions.parse("fp32"), "make engines")
    backends = open_targets(*read(tmp_path / "inputs"), 3)
    for backend, x in zip(backends, (40, 60, 80)):
        backend.remember(picture(), Square(x, 60, 80, 127), FILL)
    first = [backend.locate(picture(), SEARCH, FILL, (60, 60)).candidate for backend in backends]
    again = [backend.locate(picture(), SEARCH, FILL, (60, 60)).candidate for backend in backends[::-1]][::-1]
    assert first == again
    assert len({astuple(candidate) for candidate in first}) > 1
    for backend in backends:
        backend.close()
