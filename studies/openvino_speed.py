"""``python -m studies.openvino_speed``: LightTrack-Mobile by ONNX Runtime beside OpenVINO's runtime, in one run.

Both run search and head of the same weights on one thread, round by round in turn, so that a busy machine slows both
down alike. Needs the package ``openvino``, which the project does not otherwise use.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from siamtrt import MissingDependencyError, cli
from siamtrt.libraries.onnxruntime import open_session

_WARM_UP = 5


def main(options: argparse.Namespace) -> None:
    """Measure and print the two medians and the median of the ratios."""
    runs = (_onnxruntime(options.onnx), _openvino(options.ir))
    times = [[_ms(run) for run in runs] for _ in range(_WARM_UP + options.rounds)][_WARM_UP:]
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(one / other for one, other in times)
    print(f"ONNX Runtime {ours:.2f} ms, OpenVINO {theirs:.2f} ms, ratio {ratio:.2f}, {options.rounds} rounds")  # noqa: T201


def _onnxruntime(folder: Path) -> Callable[[], object]:
    search, xcorr = (open_session(folder / f"{name}.onnx", threads=1) for name in ("search", "xcorr"))
    crop = np.random.default_rng(0).integers(0, 256, (1, 3, 256, 256)).astype(np.float32)

    def run() -> object:
        (feature,) = search.run(None, {"search": crop})
        return xcorr.run(None, {"feature_pw": feature})

    return run


def _openvino(folder: Path) -> Callable[[], object]:
    features, head = (compiled(folder / f"{name}.xml") for name in ("x_feature", "head"))
    crop, maps = inputs().values()

    def run() -> object:
        return head({**maps, "xf": features(crop)[0]})

    return run


def compiled(path: Path, **settings: object) -> Any:
    """The model at *path*, an OpenVINO IR, compiled for one thread of the processor in FP32.

    Raises:
        MissingDependencyError: openvino is not installed.
    """
    try:
        openvino: Any = importlib.import_module("openvino")
    except ImportError as error:
        raise MissingDependencyError(
            "openvino is not installed", hint="pip install openvino, in its own place"
        ) from error
    core = openvino.Core()
    fixed = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return core.compile_model(core.read_model(path), "CPU", {**fixed, **settings})


def inputs() -> dict[str, dict[str, np.ndarray]]:
    """What the two models take: a crop of noise, and an empty template beside features."""
    crop = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3)).astype(np.uint8)
    maps = {"zf": np.zeros((1, 96, 8, 8), np.float32), "xf": np.zeros((1, 96, 16, 16), np.float32)}
    return {"x_feature": {"x": crop}, "head": maps}


def add_folders(arguments: argparse.ArgumentParser) -> None:
    """Add where the two runtimes' models lie."""
    arguments.add_argument("--onnx", type=Path, required=True, help="folder of the exported graphs")
    arguments.add_argument("--ir", type=Path, required=True, help="folder with x_feature and head, xml and bin")


def _ms(run: Callable[[], object]) -> float:
    started_ns = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - started_ns) / 1e6


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.openvino_speed", "Time two runtimes of LightTrack-Mobile in turn, on one thread.")
    add_folders(arguments)
    arguments.add_argument("--rounds", type=cli.count, default=100)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
