"""The layers of a TensorRT plan as its engine inspector tells them; pure, no library needed.

Source: TensorRT developer guide, "Engine Inspector"; the JSON of a plan built with detailed profiling verbosity, of
which NVIDIA publishes ten with its engine explorer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from siamtrt.errors import ArtifactError

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
_MATRICES = ("MatrixMultiply", "Gemm", "gemm", "FullyConnected")
_PARTS = ("Weights", "Bias", "ConvWeights", "ConvBias")
UNKNOWN = "unknown"

Tensor = Tuple[str, Tuple[int, ...]]  # type and shape


@dataclass(frozen=True)
class PlanLayer:
    """One layer of a plan.

    Attributes:
        name: of the layer; fusion may have joined several of the exported graph.
        type: of operation, as TensorRT calls it.
        precision: what it computes in: the type of its weights, else of its first input where it multiplies, else of
            its first output.
        output_precision: the type of its first output: an INT8 convolution may put out floats.
        output_shape: of its first output.
        macs: multiply-accumulates; 0 for a layer that has none.
        bytes: read and written: inputs, weights and outputs.
        device: ``gpu``, or ``dla`` for what a deep learning accelerator computes as one layer.
    """

    name: str
    type: str = UNKNOWN
    precision: str = UNKNOWN
    output_precision: str = UNKNOWN
    output_shape: Tuple[int, ...] = ()
    macs: int = 0
    bytes: int = 0
    device: str = "gpu"


def plan_layers(information: str, plan: str) -> Optional[List[PlanLayer]]:
    """Read what ``IEngineInspector.get_engine_information`` says in JSON, in the order the layers run.

    Args:
        information: the JSON.
        plan: name of the plan, for messages.

    Returns:
        The layers, or None where the plan was built without details and tells their names alone.

    Raises:
        ArtifactError: *information* is something else.
    """
    try:
        entries = json.loads(information)["Layers"]
        if not entries or isinstance(entries[0], str):
            return None
        return [_layer(entry) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"TensorRT's inspector gave no JSON of layers for {plan}: {error!r}") from error


def integer_share(layers: List[PlanLayer]) -> Optional[float]:
    """How much of the multiply-accumulates is done on 8-bit weights; None where no layer multiplies."""
    total = sum(layer.macs for layer in layers)
    return sum(layer.macs for layer in layers if layer.precision == "int8") / total if total else None


def any_on_accelerator(layers: List[PlanLayer]) -> bool:
    """Whether a deep learning accelerator runs some of them."""
    return any(layer.device == "dla" for layer in layers)


def fused_names(name: str) -> List[str]:
    """The operations that TensorRT fused into one layer, by its name: ``a + PWN(b, c) || d`` is a, b, c and d."""
    return [part for part in re.split(r" \+ | \|\| |PWN\(|, |\)|\{ForeignNode\[|\.\.\.|\]\}", name) if part.strip()]


def _layer(entry: Dict[str, Any]) -> PlanLayer:
    inputs, outputs = ([_tensor(tensor) for tensor in entry.get(side, ())] for side in ("Inputs", "Outputs"))
    output, shape = outputs[0] if outputs else (UNKNOWN, ())
    macs = _macs(entry, inputs, shape)
    moved = sum(_ITEM_BYTES.get(kind, 4) * int(np.prod(size)) for kind, size in (*inputs, *outputs))
    return PlanLayer(
        name=entry["Name"],
        type=entry.get("ParameterType") or entry.get("LayerType", UNKNOWN),
        precision=_precision(entry, inputs) if macs else output,
        output_precision=output,
        output_shape=shape,
        macs=macs,
        bytes=moved + sum(_weight_bytes(entry.get(part)) for part in _PARTS),
        device="dla" if entry.get("LayerType") == "DLA" else "gpu",
    )


def _precision(entry: Dict[str, Any], inputs: List[Tensor]) -> str:
    """The type a product is computed in; a kernel that is an input has weights of count 0."""
    weights = entry.get("Weights") or entry.get("ConvWeights") or {}
    if weights.get("Count"):
        return _type(str(weights.get("Type")))
    return inputs[0][0] if inputs else UNKNOWN


def _macs(entry: Dict[str, Any], inputs: List[Tensor], output: Tuple[int, ...]) -> int:
    """Each weight of a convolution is used once a place of its output; 0 for a layer without products."""
    kind = entry.get("LayerType", "")
    if entry.get("ConvWeights") and inputs:  # a pooling behind it is part of the layer, and shrinks what it puts out
        return int(entry["ConvWeights"]["Count"] * np.prod(_convolved(entry, inputs[0][1])))
    if entry.get("ParameterType") == "Convolution" or "Convolution" in kind:
        weights = (entry.get("Weights") or {}).get("Count", 0) or (int(np.prod(inputs[1][1])) if len(inputs) > 1 else 0)
        return int(weights * np.prod((*output[:1], *output[2:])))
    if any(word in kind for word in _MATRICES) and inputs and inputs[0][1]:
        return int(np.prod(output)) * inputs[0][1][-1]
    return 0


def _convolved(entry: Dict[str, Any], shape: Tuple[int, ...]) -> List[int]:
    """Batch and places of the output of a ``ConvActPool``'s convolution."""
    sides = zip(
        shape[2:],
        *(entry[f"Conv{word}"] for word in ("Kernel", "PrePadding", "PostPadding", "Stride", "Dilation")),
    )
    places = [
        (side + before + after - dilation * (kernel - 1) - 1) // stride + 1
        for side, kernel, before, after, stride, dilation in sides
    ]
    return [shape[0], *places]


def _tensor(entry: Dict[str, Any]) -> Tensor:
    return _type(str(entry.get("Format/Datatype", ""))), tuple(entry.get("Dimensions", ()))


def _weight_bytes(entry: Optional[Dict[str, Any]]) -> int:
    return int(entry["Count"]) * _ITEM_BYTES.get(_type(str(entry.get("Type"))), 4) if entry else 0


def _type(text: str) -> str:
    found = _TYPE.search(text)
    return _TYPES[found[1].lower()] if found else UNKNOWN
