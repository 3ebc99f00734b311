"""Engines for ONNX Runtime: an ONNX file whose nodes carry the precision."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from engines.float16 import to_float16
from engines.job import GraphJob
from siamtrt import ArtifactError, Precision, UsageError
from siamtrt.files import write_bytes
from siamtrt.session import open_session

SUFFIX = ".onnx"


def build_graph(job: GraphJob) -> None:
    """Write the ONNX Runtime engine of one graph.

    Raises:
        UsageError: INT8, which needs the activation ranges of a calibration that does not exist yet.
        ArtifactError: ``job.source`` is not an ONNX graph.
        BuildError: the graph cannot be converted, or ONNX Runtime cannot run the result.
    """
    if job.precision in (Precision.INT8, Precision.INT8_ALL):
        raise UsageError(
            f"{job.graph} cannot be built in {job.precision.value} yet: "
            "there is no calibration to take activation ranges from",
            hint="--precision fp16",
        )
    model = read_graph(job.source)
    if job.precision is Precision.FP16:
        model = to_float16(model)
    data = model.SerializeToString()
    open_session(data)  # a refusal belongs here, not on the first frame
    write_bytes(job.out, data)


def read_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        ArtifactError: it is absent, truncated or not ONNX.
    """
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise ArtifactError(f"{path} is not a whole ONNX graph: {error}", hint="export the model anew") from error
    return model
