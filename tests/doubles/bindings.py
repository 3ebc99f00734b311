"""Loads the real Python bindings of TensorRT over stub libraries, in a process of its own, and tells what they have.

``python -m tests.doubles.bindings BINDINGS LIBRARY...`` prints JSON: class -> its public names, and what our own
calibrator, profiler and logger did on the real base classes.
"""

from __future__ import annotations

import ctypes
import importlib.util
import inspect
import json
import sys
from pathlib import Path

from benchmarks.profiling.layers.tensorrt_profile import _profiler
from engines.tensorrt.calibrator import _make
from engines.tensorrt.ranges import ServedRanges
from siamtrt.libraries import tensorrt as library


def main(bindings, *libraries):
    for path in libraries:
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    spec = importlib.util.spec_from_file_location("tensorrt", str(next(Path(bindings).glob("tensorrt*.so"))))
    trt = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(trt)
    calibrator, profiler, logger = _make(trt, ServedRanges(b"cache")), _profiler(trt), library.make_logger(trt)
    profiler.runs.append([])
    profiler.report_layer_time("conv", 2.0)
    logger.log(trt.ILogger.Severity.ERROR, "wrong")
    found = {
        "names": {name: dir(kind) for name, kind in inspect.getmembers(trt, inspect.isclass)},
        "calibrator": [
            calibrator.get_batch_size(),
            calibrator.read_calibration_cache().decode(),
            calibrator.get_algorithm().name,
        ],
        "profiler": profiler.runs,
        "logger": logger.problems,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
