from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from onnxruntime import InferenceSession

from engines.tensorrt.building import TensorrtOptions
from runtime.crop import crop
from runtime.tensorrt.chain import Chain, ChainOptions
from runtime.tensorrt.layout import HWC8
from runtime.tensorrt.locator import open_targets
from runtime.tensorrt.matcher import TensorrtMatcher
from sequences.annotated import load_sequence
from siamtrt import ArtifactError, EngineMismatchError, InferenceError, ParityError, TensorSpec, UsageError
from siamtrt.environment import describe
from siamtrt.geometry import Square
from tests import tiny
from tests.doubles.clip import FILL, as_rows, clip, follow, on_the_cpu, picture, read

TEMPLATE, SEARCH = Square(60, 60, 80, 127), Square(60, 60, 160, 255)
MAPS_BYTES = 4 * 30 * 25 * 25
FOUND_BYTES = 28


@pytest.fixture(scope="module")
def frame():
    return picture()


def opened(board, **options):
    (locator,) = open_targets(*read(board.out), options=ChainOptions(**options))
    return locator


def opened_matcher(board):
    return TensorrtMatcher(Chain(*read(board.out), ChainOptions(decode=False)))


def ask(locator, frame):
    return locator.locate(frame, SEARCH, FILL, (60, 60))


def boxes(locator, frames):
    return as_rows(follow(locator, frames))


@pytest.fixture
def reference(tiny_engines):
    return on_the_cpu(tiny_engines)


@pytest.mark.parametrize("version", ["8.5.2.2", "8.6.1", "10.0.1", "10.16.1"])
@pytest.mark.parametrize("decode", [True, False])
def test_boxes_are_those_of_onnx_runtime(board, reference, frame, version, decode):
    double = board(version)
    double.build()
    found = boxes(opened(double, decode=decode), clip(frame))
    np.testing.assert_allclose(found, boxes(reference, clip(frame)), atol=1e-3)


@pytest.mark.parametrize(
    "settings", [{"graphs": False}, {"mapped": False}, {"mapped": True}, {"mapped": True, "staged": True}]
)
@pytest.mark.parametrize("decode", [True, False])
def test_neither_capture_nor_the_kind_of_memory_changes_a_box(board, reference, frame, settings, decode):
    double = board(integrated=False)
    double.build()
    found = boxes(opened(double, decode=decode, **settings), clip(frame))
    np.testing.assert_allclose(found, boxes(reference, clip(frame)), atol=1e-3)


def test_boxes_of_the_shipped_model_on_a_real_sequence(board, shipped_engines, reference_data):
    onnx = shipped_engines.parent / "onnx"
    double = board(onnx=onnx)
    double.build()
    sequence = load_sequence(reference_data / "vot2018" / "sequences" / "bag")
    frames, box = [sequence.frame(index) for index in range(12)], sequence.start_box(0)
    expected = as_rows(follow(on_the_cpu(onnx), frames, box))
    np.testing.assert_allclose(as_rows(follow(opened(double), frames, box)), expected, atol=1e-3)


@pytest.mark.parametrize("kernel_inputs", [True, False])
def test_features_in_half_precision_are_bound_read_and_proved_as_they_lie(
    board, reference, frame, tmp_path, kernel_inputs
):
    tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=kernel_inputs)
    double = board(onnx=tmp_path / "onnx")
    double.build("fp16", tensorrt=TensorrtOptions(features="hwc8"))
    locator = opened(double)
    found = boxes(locator, clip(frame))
    np.testing.assert_allclose(found, boxes(reference, clip(frame)), atol=0.5)
    feature = locator._chain._stages[255].features["feature_cls"]
    assert feature.host.dtype == np.float16
    assert feature.host.shape == (1, 29, 29, 8)


def test_plans_whose_features_lie_otherwise_than_their_manifest_says_are_refused(board):
    double = board()
    double.build("fp16", tensorrt=TensorrtOptions(features="hwc8"))
    path = double.out / "manifest.json"
    path.write_text(path.read_text().replace('"features": "hwc8"', '"features": "float32"'))
    with pytest.raises(EngineMismatchError, match=r"'feature_cls': \(False, 'HALF', 'HWC8'"):
        opened(double)
    path.write_text(path.read_text().replace('"features": "float32"', '"features": "chw32"'))
    with pytest.raises(ArtifactError, match="'chw32' are unknown here"):
        opened(double)


def test_channels_are_filled_up_to_whole_eights():
    spec = TensorSpec("feature_cls", (1, 12, 2, 3))
    assert HWC8.shape(spec) == (1, 2, 3, 16)
    tensor = np.arange(72, dtype=np.float32).reshape(spec.shape)
    memory = np.full(HWC8.shape(spec), np.nan, np.float16)
    memory[..., :12] = tensor.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(HWC8.values(memory, spec), tensor)


@pytest.mark.parametrize("integrated", [True, False])
@pytest.mark.parametrize(("decode", "out_bytes"), [(True, FOUND_BYTES), (False, MAPS_BYTES)])
def test_a_frame_costs_one_launch_one_wait_and_few_bytes(board, frame, integrated, decode, out_bytes):
    double = board(integrated=integrated)
    double.build()
    matcher = opened(double, decode=decode)
    matcher.remember(frame, TEMPLATE, FILL)
    double.cudart.forget_calls()
    for _ in range(3):
        ask(matcher, frame)
    assert double.cudart.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"] * 3
    copied = {1: 0, 2: 0, 3: 0} if integrated else {1: 3 * 120 * 160 * 3, 2: 3 * out_bytes, 3: 0}
    assert double.cudart.copied == copied
    assert out_bytes <= (64 if decode else 75_000)


@pytest.mark.parametrize("decode", [True, False])
def test_the_plain_path_waits_once_too(board, frame, decode):
    double = board(integrated=False)
    double.build()
    matcher = opened(double, graphs=False, decode=decode)
    matcher.remember(frame, TEMPLATE, FILL)
    double.cudart.forget_calls()
    ask(matcher, frame)
    assert double.cudart.count("cudaStreamSynchronize") == 1
    assert double.cudart.count("cudaMalloc") == double.cudart.count("cudaHostAlloc") == 0


def test_the_box_chosen_on_the_gpu_is_the_one_numpy_chooses(board, frame):
    double = board()
    double.build()
    on_gpu, on_host = opened(double), opened(double, decode=False)
    found = []
    for locator in (on_gpu, on_host):
        locator.remember(frame, TEMPLATE, FILL)
        found.append([astuple(locator.locate(frame, SEARCH, FILL, size).candidate) for size in [(60, 60), (90, 30)]])
    assert found[0][0] != found[0][1]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-4)


def test_without_decode_on_the_gpu_there_is_no_box(board, frame):
    double = board()
    double.build()
    with pytest.raises(UsageError, match="without decode"):
        opened_matcher(double)._chain._stages[255].box()


@pytest.mark.parametrize("kernel_inputs", [True, False])
def test_nothing_is_bound_by_position(board, frame, tmp_path, kernel_inputs):
    tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=kernel_inputs)
    answers = []
    for reverse in (False, True):
        double = board(onnx=tmp_path / "onnx", reverse_tensors=reverse)
        double.build()
        matcher, locator = opened_matcher(double), opened(double)
        for backend in (matcher, locator):
            backend.remember(frame, TEMPLATE, FILL)
        response = matcher.match(frame, SEARCH, FILL)
        answers.append((response.cls.copy(), response.loc.copy(), astuple(ask(locator, frame).candidate)))
    for first, reversed_ in zip(*answers):
        np.testing.assert_array_equal(first, reversed_)


def test_another_target_is_captured_anew_and_the_first_comes_back(board, frame):
    double = board()
    double.build()
    matcher = opened_matcher(double)
    maps = []
    for template in (TEMPLATE, Square(100, 40, 50, 127), TEMPLATE):
        matcher.remember(frame, template, FILL)
        maps.append(matcher.match(frame, SEARCH, FILL).cls.copy())
    assert double.cudart.count("capture") == 3
    assert not np.allclose(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


def test_a_larger_frame_is_captured_anew(board, frame):
    double = board()
    double.build()
    matcher = opened_matcher(double)
    matcher.remember(frame, TEMPLATE, FILL)
    first = matcher.match(frame, SEARCH, FILL).cls.copy()
    larger = np.zeros((240, 320, 3), np.uint8)
    matcher.remember(larger, TEMPLATE, FILL)
    matcher.match(larger, SEARCH, FILL)
    matcher.remember(frame, TEMPLATE, FILL)
    np.testing.assert_array_equal(matcher.match(frame, SEARCH, FILL).cls, first)
    in_use = len(double.cudart.memory)
    for side in (100, 200, 300):
        matcher.remember(np.zeros((side, side, 3), np.uint8), TEMPLATE, FILL)
    assert len(double.cudart.memory) == in_use


@pytest.mark.parametrize("bad_refit", ["stale", "swapped"])
@pytest.mark.parametrize("decode", [True, False])
def test_a_refit_that_changes_nothing_or_swaps_kernels_is_found_out(board, frame, bad_refit, decode):
    double = board(bad_refit=bad_refit)
    double.build()
    matcher = opened(double, decode=decode)
    with pytest.raises(ParityError, match="after the refit xcorr"):
        matcher.remember(frame, TEMPLATE, FILL)
    with pytest.raises(InferenceError, match="no target was remembered"):
        ask(matcher, frame)


def test_a_refit_is_proved_by_what_the_search_will_see(board, frame, tiny_onnx):
    double = board()
    double.build()
    locator = opened(double)
    locator.remember(frame, Square(60, 60, 80, 127), FILL)
    patch = crop(frame, Square(60, 60, 80 * 255 // 127, 255), FILL).transpose(2, 0, 1)[np.newaxis].astype(np.float32)
    expected = InferenceSession(str(tiny_onnx / "search.onnx")).run(["feature_cls", "feature_loc"], {"search": patch})
    buffers = locator._chain._stages[255].features
    for name, feature in zip(("feature_cls", "feature_loc"), expected):
        np.testing.assert_allclose(buffers[name].host, feature, rtol=1e-4, atol=1e-4)


def test_kernels_as_inputs_need_no_refit(board, tmp_path, reference, frame):
    tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    double = board(onnx=tmp_path / "onnx")
    double.build()
    assert not any("REFIT" in built["flags"] for built in double.trt.log_of_builds)
    np.testing.assert_allclose(boxes(opened(double), clip(frame)), boxes(reference, clip(frame)), atol=1e-3)


@pytest.mark.parametrize("staged", [True, False])
def test_closing_gives_all_memory_back(board, frame, staged):
    double = board()
    double.build()
    matcher = opened(double, staged=staged)
    matcher.remember(np.zeros((31, 47, 3), np.uint8), TEMPLATE, FILL)
    assert ("stage" in double.cudart.calls) is staged
    matcher.remember(frame, TEMPLATE, FILL)
    matcher.close()
    assert double.cudart.memory == {}


def test_plans_of_another_machine_are_not_even_read(board):
    double = board()
    double.build()
    double.cudart.attributes[76] = 5
    with pytest.raises(EngineMismatchError, match=r"compute_capability 7\.2, this machine has 7\.5"):
        opened(double)
    board("8.5.3")
    with pytest.raises(EngineMismatchError, match=r"tensorrt 8\.5\.2\.2, this machine has 8\.5\.3"):
        opened(double)


@pytest.mark.parametrize(("wait", "schedule"), [("spin", 1), ("block", 4), (None, 0)])
def test_the_process_waits_as_asked(board, frame, wait, schedule):
    double = board()
    double.build()
    matcher = opened(double, wait=wait)
    assert double.cudart.schedule == schedule
    again = opened(double, wait=wait)  # the GPU is in use by now, and that is what was asked for
    for locator in (matcher, again):
        locator.remember(frame, TEMPLATE, FILL)
        ask(locator, frame)


def test_a_process_that_waits_otherwise_already_is_told_so(board):
    double = board()
    double.build()
    opened(double, wait="spin")
    with pytest.raises(InferenceError, match=r"(?s)choosing to wait by block.*708.*a program of its own"):
        opened(double, wait="block")


def test_out_of_memory_says_so(board):
    double = board()
    double.build()
    double.cudart.free_bytes = 1000
    with pytest.raises(InferenceError, match="out of memory"):
        opened(double)
    assert double.cudart.memory == {}


def test_what_cannot_be_captured_runs_step_by_step_and_says_so_once(board, reference, frame, caplog):
    double = board()
    double.build()
    double.cudart.can_capture = False
    found = boxes(opened(double), clip(frame))
    np.testing.assert_allclose(found, boxes(reference, clip(frame)), atol=1e-3)
    assert double.cudart.count("cudaGraphLaunch") == 0
    assert caplog.text.count("frames run step by step, not as a CUDA graph") == 1


def test_another_target_does_not_try_the_capture_again(board, frame, caplog):
    double = board()
    double.build()
    double.cudart.can_capture = False
    locator = opened(double)
    for _ in range(2):
        locator.remember(frame, TEMPLATE, FILL)
    locator.close()
    assert caplog.text.count("frames run step by step") == 1


@pytest.mark.parametrize(("here", "warned"), [("0000", False), ("0003", True), (None, False)])
def test_plans_timed_at_other_clocks_are_told(board, monkeypatch, caplog, here, warned):
    double = board()
    machine = {**describe(), "board": "Jetson-AGX", "power_mode": "0000"}
    monkeypatch.setattr("engines.build.describe", lambda: machine)
    monkeypatch.setattr("runtime.tensorrt.plans.describe", lambda: {**machine, "power_mode": here})
    double.build()
    opened(double).close()
    assert ("these plans were timed with power mode 0000, here it is 0003" in caplog.text) is warned
