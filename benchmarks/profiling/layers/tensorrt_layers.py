"""Layers of a TensorRT plan from what its inspector says and its profiler measured; pure, no library needed.

Source: TensorRT developer guide, "Engine Inspector"; the JSON of a plan built with detailed profiling verbosity.
"""

from __future__ import annotations

import json
import re
import statistics
from typing import Any, Mapping, Sequence

import numpy as np

from benchmarks.profiling.layers.layer_report import Layer
from siamtrt import ArtifactError, UsageError

# TensorRT 8 writes "Channel major FP16 format where channel % 8 == 0", TensorRT 10 "Half".
_TYPES = {
    "int8": "int8",
    "fp16": "float16",
    "half": "float16",
    "bf16": "bfloat16",
    "bfloat16": "bfloat16",
    "fp32": "float32",
    "float": "float32",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
}
_TYPE = re.compile(r"\b(" + "|".join(_TYPES) + r")\b", re.IGNORECASE)
_ITEM_BYTES = {"int8": 1, "bool": 1, "float16": 2, "bfloat16": 2, "int64": 8}
_PRODUCTS = ("MatrixMultiply", "Gemm", "gemm", "FullyConnected")
_UNKNOWN = "unknown"


def layers(information: str, durations_ms: Mapping[str, Sequence[float]], graph: str) -> list[Layer]:
    """Join what the inspector shows with what the profiler measured, in the order the layers ran.

    Args:
        information: JSON of ``IEngineInspector.get_engine_information``.
        durations_ms: layer name -> milliseconds of each run, in the order they ran.
        graph: name for the layers.

    Raises:
        UsageError: the plan was built without details.
        ArtifactError: *information* is something else, or nothing was measured.
    """
    try:
        entries = json.loads(information)["Layers"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"TensorRT's inspector gave no JSON of layers for {graph}: {error!r}") from error
    if not durations_ms:
        raise ArtifactError(f"TensorRT's profiler reported no layer of {graph}")
    if not entries or isinstance(entries[0], str):
        raise UsageError(
            f"the plan of {graph} does not tell its layers' types and tensors",
            hint="build it with python -m engines ... --detailed, into a folder of its own: such a plan runs slower",
        )
    known = {entry["Name"]: entry for entry in entries}
    return [_layer(graph, name, known.get(name, {}), times) for name, times in durations_ms.items()]


def _layer(graph: str, name: str, entry: dict[str, Any], durations_ms: Sequence[float]) -> Layer:
    inputs, outputs = ([_tensor(tensor) for tensor in entry.get(side, ())] for side in ("Inputs", "Outputs"))
    dtype, shape = outputs[0] if outputs else (_UNKNOWN, ())
    moved = sum(_ITEM_BYTES.get(kind, 4) * int(np.prod(size)) for kind, size in (*inputs, *outputs))
    return Layer(
        graph=graph,
        name=name,
        type=entry.get("ParameterType") or entry.get("LayerType", _UNKNOWN),
        precision=dtype,
        output_shape=shape,
        ms_p50=statistics.median(durations_ms),
        macs=_macs(entry, [size for _, size in inputs], shape),
        bytes=moved + sum(_weight_bytes(entry.get(part)) for part in ("Weights", "Bias")),
    )


def _macs(entry: dict[str, Any], inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    """Each weight of a convolution is used once a place of its output; 0 for a layer without products."""
    if entry.get("ParameterType") == "Convolution" or "Convolution" in entry.get("LayerType", ""):
        weights = (entry.get("Weights") or {}).get("Count", 0) or (int(np.prod(inputs[1])) if len(inputs) > 1 else 0)
        return int(weights) * int(np.prod(output[2:]))
    if any(word in entry.get("LayerType", "") for word in _PRODUCTS) and inputs and inputs[0]:
        return int(np.prod(output)) * inputs[0][-1]
    return 0


def _tensor(entry: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    return _type(str(entry.get("Format/Datatype", ""))), tuple(entry.get("Dimensions", ()))


def _weight_bytes(entry: dict[str, Any] | None) -> int:
    return int(entry["Count"]) * _ITEM_BYTES.get(_type(str(entry.get("Type"))), 4) if entry else 0


def _type(text: str) -> str:
    match = _TYPE.search(text)
    return _TYPES[match[1].lower()] if match else _UNKNOWN
