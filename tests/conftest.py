"""What every test may ask for."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import pytest

from siamtrt import GraphPrecisions
from tests.built import build
from tests.tiny import write_tiny_model

pytest_plugins = ["tests.doubles.board"]

# Tests that run beside each other would take each other's cores: a library starts as many threads as it sees cores.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if _WORKER and hasattr(os, "sched_setaffinity"):
    _CORES = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_CORES[int(_WORKER[2:]) % len(_CORES)]})

_SLOW_TIMEOUT_S = 1200
_REFERENCE_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(_SLOW_TIMEOUT_S))


def pytest_configure() -> None:
    """Hear Ctrl-C, and let the children hear it: a shell starts what it runs in the background deaf to it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # or a make that a test calls would be the child of 'make test'
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def process_as_before():
    """Put back what a command changes for its whole process: the handler of Ctrl-C, and where the log goes."""
    handler, logs = signal.getsignal(signal.SIGINT), logging.root.handlers[:]
    yield
    signal.signal(signal.SIGINT, handler)
    logging.root.handlers[:] = logs


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Real weights, sequences and published results; not part of the project, so tests of them skip without."""
    if not _REFERENCE_DATA.is_dir():
        pytest.skip("the reference data (NanoTrackV3 weights, VOT2018 sequences) lie beside no checkout here")
    return _REFERENCE_DATA


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory) -> Path:
    """An export folder of a tiny model; do not write to it."""
    folder = tmp_path_factory.mktemp("tiny") / "onnx"
    write_tiny_model(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_engines(tiny_onnx) -> Path:
    """Its FP32 engines for ONNX Runtime; do not write to them."""
    out = tiny_onnx.parent / "engines"
    build(tiny_onnx, out, "onnxruntime", GraphPrecisions.parse("fp32"), "make engines")
    return out


@pytest.fixture(scope="session")
def shipped_engines(tmp_path_factory) -> Path:
    """FP16 engines of the model that ships, exported anew; do not write to them."""
    pytest.importorskip("torch", reason="exporting needs torch")
    from export.write import write
    from networks.checkpoint import load

    root = tmp_path_factory.mktemp("shipped")
    checkpoint = Path(__file__).parents[1] / "weights" / "siamrpn_nano.pth"
    write(load("siamrpn_nano", checkpoint), "siamrpn_nano", root / "onnx", checkpoint=checkpoint, command="")
    build(root / "onnx", root / "fp16", "onnxruntime", GraphPrecisions.parse("fp16"), "")
    return root / "fp16"
