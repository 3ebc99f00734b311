"""Engines as ``python -m engines`` builds them, without a request to spell out."""

from __future__ import annotations

from engines.build import BuildRequest
from engines.build import build as build_request
from engines.int8 import Int8Options
from engines.tensorrt.building import TensorrtOptions


def build(
    onnx, out, backend, precisions, command, tensorrt=None, *, ranges=None, keep=(), correction_samples=None, targets=1
):
    """Build the engines and return their manifest; *keep* names the layers that stay in floating point."""
    int8 = Int8Options(ranges, tuple(keep), correction_samples)
    return build_request(
        BuildRequest(onnx, out, backend, precisions, command, tensorrt or TensorrtOptions(), int8, targets)
    )
