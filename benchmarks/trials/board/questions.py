"""The questions: what a Jetson answers within ten minutes, and nobody can answer without one."""

from __future__ import annotations

import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

import cv2
import numpy as np
import onnxruntime

from benchmarks.evaluation.ope.measures import box_overlaps
from benchmarks.profiling.speed.conditions import conditions_of, read_state
from benchmarks.trials.board.check import Question, Skipped
from runtime.frames import Frame, as_bgr
from runtime.locator import HostLocator, Locator
from runtime.nv12 import Nv12Frame
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tensorrt import compiled
from runtime.tensorrt.chain import Chain, ChainOptions
from runtime.tensorrt.locator import TensorrtLocator
from runtime.tensorrt.matcher import TensorrtMatcher
from runtime.tracker import Tracker
from sequences.annotated import load_sequence
from siamtrt import Array, BuildError, InferenceError, Manifest, ModelCard, ParityError, ProbeError
from siamtrt.libraries import tensorrt as library
from siamtrt.libraries.inspector import integer_share, plan_layers

_LEAST_FREE_GB = 4.0
_LEAST_INT8 = 0.5
_LEAST_OVERLAP = 0.9
_SAME_PX = 0.1
_CONVERSIONS = 50

Run = Callable[[Sequence[object], Path], "str | None"]


@dataclass(frozen=True)
class Board:
    """What the questions are asked of.

    Attributes:
        onnx: folder written by ``python -m export``.
        inputs: the same model exported with ``--kernel-inputs``; None leaves out what needs it.
        ranges: its calibration; None leaves out INT8.
        clip: a sequence with truth.
        out: folder of engines, logs and answers.
        frames: how many frames of the clip are tracked.
        run: runs a command of this project, see :func:`benchmarks.trials.child.run`.
        root: where ``/sys`` is looked up.
    """

    onnx: Path
    inputs: Path | None
    ranges: Path | None
    clip: Path
    out: Path
    frames: int
    run: Run
    root: Path = Path("/")

    def engines(self, name: str) -> Path:
        """The folder of one build."""
        return self.out / "engines" / name

    def built(self, name: str) -> Path:
        """The folder of a build that came out whole; what asks for it is skipped otherwise."""
        if not (self.engines(name) / "manifest.json").is_file():
            raise Skipped(f"there are no {name} engines")
        return self.engines(name)

    def log(self, name: str) -> Path:
        """Where what the command called *name* printed lies."""
        return self.out / "logs" / f"{name}.txt"

    def command(self, name: str, *words: object) -> None:
        """Run a command.

        Raises:
            BuildError: it refused.
        """
        refusal = self.run(words, self.log(name))
        if refusal:
            problem, _, hint = refusal.partition("\n  try: ")
            raise BuildError(problem, hint=hint)


def questions(board: Board) -> Mapping[str, Question]:
    """All questions, in the order they build on each other."""
    return {
        "are the libraries here, in versions that work together?": _versions,
        "is there room on the disk?": lambda: _disk(board),
        "does the board run at fixed clocks?": lambda: _clocks(board),
        "are the CUDA kernels compiled?": _kernels,
        "does FP16 build?": lambda: _build(board, "fp16", board.onnx),
        "does INT8 build, and is the calibration cache taken?": lambda: _build_int8(board),
        "is the work of the search graph in INT8?": lambda: _int8_share(board),
        "does a refit take effect, and how long does it take?": lambda: _refit(board),
        "can a frame be captured, and what does that save?": lambda: _capture(board),
        "is the box chosen on the GPU that of the host?": lambda: _decode(board),
        "are the boxes those of ONNX Runtime?": lambda: _boxes(board),
        "is a mapped frame faster than a staged or a copied one?": lambda: _mapped(board),
        "is a frame in NV12 faster than one that is converted first?": lambda: _nv12(board),
        "do features in half precision save time?": lambda: _features(board),
        "are kernels as inputs as fast as kernels as weights?": lambda: _inputs(board),
        "how long do crop and decode take alone?": lambda: _alone(board),
        "do the tests of the GPU pass?": lambda: _tests(board),
    }


def _versions() -> str:
    trt = library.load("tensorrt")
    parts = {"TensorRT": trt, "ONNX Runtime": onnxruntime, "OpenCV": cv2, "numpy": np}
    return ", ".join(f"{name} {module.__version__}" for name, module in parts.items())


def _disk(board: Board) -> str:
    board.out.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(board.out).free / 1e9
    if free_gb < _LEAST_FREE_GB:
        raise ProbeError(f"{free_gb:.1f} GB are free", hint=f"engines and reports take up to {_LEAST_FREE_GB:.0f} GB")
    return f"{free_gb:.1f} GB are free"


def _clocks(board: Board) -> str:
    conditions = conditions_of([read_state(board.root)], root=board.root)
    if conditions.gpu_clock_fixed is None:
        raise Skipped(conditions.reasons["gpu_clock_fixed"])
    if conditions.doubts:
        raise ProbeError("; ".join(conditions.doubts), hint="sudo nvpmodel -m 0, then sudo jetson_clocks")
    return f"power mode {conditions.power_mode}, GPU at {conditions.gpu_mhz}, governor {conditions.governor}"


def _kernels() -> str:
    compiled.load_kernels()
    return "yes"


def _build(board: Board, name: str, onnx: Path, *more: object) -> str:
    precision = "fp16" if name.startswith("fp16") else "int8"
    out = board.engines(name)
    words = ["engines", "--onnx", onnx, "--backend", "tensorrt", "--precision", precision, *more]
    board.command(name, *words, "--timing-cache", board.out / "timing", "--out", out)
    sizes = [f"{path.stem} {path.stat().st_size / 1e6:.1f} MB" for path in sorted(out.glob("*.plan"))]
    return ", ".join(sizes)


def _build_int8(board: Board) -> str:
    if board.ranges is None:
        raise Skipped("no calibration was named: RANGES=folder")
    sizes = _build(board, "int8", board.onnx, "--ranges", board.ranges)
    logs = board.log("int8").read_text(encoding="utf-8", errors="replace")
    taken = "ranges were given tensor by tensor" if "range for each tensor" in logs else "the cache was taken"
    return f"{taken}; {sizes}"


def _int8_share(board: Board) -> str:
    trt = library.load("tensorrt")
    logger = library.make_logger(trt)
    runtime = trt.Runtime(logger)
    name = ModelCard.load(board.built("int8")).search.stages[-1].search
    engine = library.load_plan(runtime, (board.built("int8") / f"{name}.plan").read_bytes())
    if engine is None:
        raise InferenceError(f"TensorRT cannot load {name}.plan: {library.problems(logger)}")
    share = integer_share(plan_layers(library.layer_information(trt, engine), name) or []) or 0.0
    text = f"{100 * share:.1f} % of the multiply-accumulates are on 8-bit weights"
    if share < _LEAST_INT8:
        raise ParityError(text)
    return text


@dataclass(frozen=True)
class _Followed:
    """A run over the clip: Nx4 boxes, median milliseconds of a frame and of the refit, and whether it was captured."""

    boxes: Array
    frame_ms: float
    refit_ms: float
    captured: bool


def _follow(board: Board, engines: Path, options: ChainOptions, taken: Callable[[Array], Frame] = as_bgr) -> _Followed:
    chain = Chain(engines, ModelCard.load(engines), Manifest.load(engines, stage="engines"), options)
    locator: Locator = TensorrtLocator(chain) if options.decode else HostLocator(TensorrtMatcher(chain))
    with Tracker(locator) as tracker:
        boxes, times_ms, refit_ms = _run(board, tracker, taken)
        return _Followed(boxes, statistics.median(times_ms), refit_ms, chain.is_captured)


def _run(board: Board, tracker: Tracker, taken: Callable[[Array], Frame] = as_bgr) -> tuple[Array, list[float], float]:
    video = load_sequence(board.clip)
    state = tracker.start(taken(video.frame(0)), video.start_box(0))
    refit_ms = state.times.get("refit", 0) / 1e6
    states = [tracker.update(taken(video.frame(index))) for index in range(1, min(len(video), board.frames))]
    boxes = np.array([(one.box.x, one.box.y, one.box.width, one.box.height) for one in states])
    return boxes, [sum(one.times.values()) / 1e6 for one in states], refit_ms


def _refit(board: Board) -> str:
    return f"{_follow(board, board.built('fp16'), ChainOptions()).refit_ms:.1f} ms with its proof and the capture"


def _capture(board: Board) -> str:
    captured, plain = (_follow(board, board.built("fp16"), ChainOptions(graphs=graphs)) for graphs in (True, False))
    if not captured.captured:
        raise InferenceError("it cannot; frames run step by step", hint="the log has the reason; send it")
    return f"{captured.frame_ms:.2f} ms a frame, {plain.frame_ms:.2f} ms step by step"


def _decode(board: Board) -> str:
    device, host = (_follow(board, board.built("fp16"), ChainOptions(decode=decode)) for decode in (True, False))
    apart_px = float(np.abs(device.boxes - host.boxes).max())
    text = f"at most {apart_px:.3f} px apart"
    if not apart_px <= _SAME_PX:
        raise ParityError(text)
    return f"{text}; {device.frame_ms:.2f} ms a frame, {host.frame_ms:.2f} ms with the maps sent back"


def _boxes(board: Board) -> str:
    ours = _follow(board, board.built("fp16"), ChainOptions()).boxes
    with Tracker(HostLocator(OnnxMatcher(board.onnx, ModelCard.load(board.onnx)))) as tracker:
        reference, _, _ = _run(board, tracker)
    overlap = float(box_overlaps(ours, reference).mean())
    text = f"mean overlap {overlap:.3f} with FP32 on the CPU, over {len(ours)} frames"
    if not overlap >= _LEAST_OVERLAP:
        raise ParityError(text)
    return text


def _mapped(board: Board) -> str:
    ways = {
        "mapped": ChainOptions(mapped=True),
        "staged": ChainOptions(mapped=True, staged=True),
        "copied": ChainOptions(mapped=False),
    }
    times = {name: _follow(board, board.built("fp16"), options).frame_ms for name, options in ways.items()}
    return ", ".join(f"{name} {frame_ms:.2f} ms a frame" for name, frame_ms in times.items())


def _nv12(board: Board) -> str:
    def in_nv12(frame: Array) -> Frame:
        return Nv12Frame.of_bgr(frame)

    def converted(frame: Array) -> Frame:
        return as_bgr(Nv12Frame.of_bgr(frame))

    ours, theirs = (_follow(board, board.built("fp16"), ChainOptions(), way) for way in (in_nv12, converted))
    frame, samples_ns = Nv12Frame.of_bgr(load_sequence(board.clip).frame(0)), []
    for _ in range(_CONVERSIONS):
        started_ns = time.perf_counter_ns()
        frame.bgr()
        samples_ns.append(time.perf_counter_ns() - started_ns)
    convert_ms = statistics.median(samples_ns) / 1e6
    overlap = float(box_overlaps(ours.boxes, theirs.boxes).mean())  # OpenCV's builds for ARM may be a grey level off
    text = f"mean overlap {overlap:.3f}"
    if not overlap >= _LEAST_OVERLAP:
        raise ParityError(text)
    bgr = f"{theirs.frame_ms:.2f} ms in BGR and {convert_ms:.2f} ms to convert it"
    return f"{text}; {ours.frame_ms:.2f} ms a frame, {bgr}"


def _features(board: Board) -> str:
    _build(board, "fp16-hwc8", board.onnx, "--features", "hwc8")
    plain, wide = (_follow(board, board.built(name), ChainOptions()) for name in ("fp16", "fp16-hwc8"))
    return f"float32 {plain.frame_ms:.2f} ms a frame, float16 in eights {wide.frame_ms:.2f} ms"


def _inputs(board: Board) -> str:
    if board.inputs is None:
        raise Skipped("no export with --kernel-inputs was named")
    _build(board, "fp16-inputs", board.inputs)
    weights, inputs = (_follow(board, board.built(name), ChainOptions()) for name in ("fp16", "fp16-inputs"))
    return f"as weights {weights.frame_ms:.2f} ms a frame, as inputs {inputs.frame_ms:.2f} ms"


def _alone(board: Board) -> str:
    board.command("kernels", "benchmarks", "kernels", "--model", board.onnx, "--out", board.out / "kernels.json")
    return f"see {board.out / 'kernels.json'}"


def _tests(board: Board) -> str:
    board.command("tests", "pytest", "-q", "-m", "gpu", "tests/runtime/tensorrt")
    return "yes"
