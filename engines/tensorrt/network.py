"""What both TensorRT builders share: parse an ONNX graph, build it while telling that it lives."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator

from siamtrt import BuildError
from siamtrt.libraries import tensorrt as library

_HEARTBEAT_S = 10.0

log = logging.getLogger(__name__)


def parse(trt: Any, builder: Any, creation_flags: int, data: bytes, logger: Any, name: str) -> Any:
    """Read an ONNX graph into a network.

    Raises:
        BuildError: the parser refused it; all its errors are in the message.
    """
    network = builder.create_network(creation_flags)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(data):
        errors = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
        raise BuildError(f"TensorRT {trt.__version__} cannot read {name}: {errors or library.problems(logger)}")
    return network


def serialize(trt: Any, builder: Any, network: Any, config: Any, logger: Any, name: str, *, hint: str) -> bytes:
    """Build a network into a plan, with a line in the log every few seconds.

    Raises:
        BuildError: TensorRT refused; *hint* is what may help.
    """
    with heartbeat(name):
        plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BuildError(f"TensorRT {trt.__version__} cannot build {name}: {library.problems(logger)}", hint=hint)
    return bytes(plan)


@contextmanager
def heartbeat(name: str, period_s: float = _HEARTBEAT_S) -> Iterator[None]:
    """Log the elapsed time while a block runs: a build takes minutes on a board and must not look hung."""
    done = threading.Event()
    started_s = time.monotonic()

    def tell() -> None:
        while not done.wait(period_s):
            log.info("building %s, %.0f s so far", name, time.monotonic() - started_s)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
