"""INT8 as TensorRT 8.5 to 10 build it: layers that can be pinned, and a calibrator whose exceptions are swallowed."""

from __future__ import annotations

import re
import struct
import sys

import numpy as np
import onnx
import onnxruntime

_NUMBER = {8: lambda a, b, c: 1000 * a + 100 * b + c, 10: lambda a, b, c: 10000 * a + 100 * b + c}
_UNHELD = sys.getrefcount(object()) + 1  # references to what one variable alone holds, where it is counted
_FLOAT, _BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.BOOL


class Tensor:
    __slots__ = ("allowed_formats", "dtype", "dynamic_range", "name")

    def __init__(self, name, dtype):
        self.name, self.dtype, self.dynamic_range, self.allowed_formats = name, dtype, None, None


def laid_out(trt, network):
    """Inputs and outputs of a build that lie otherwise than the parser says: name -> names of type and format."""
    wide = 1 << int(trt.TensorFormat.HWC8)
    laid = {}
    for tensor in (*network.inputs, *network.outputs):
        if tensor.allowed_formats is not None:
            assert tensor.allowed_formats == wide
            assert tensor.dtype is trt.DataType.HALF, "HWC8 is a format of FP16"
            laid[tensor.name] = ["HALF", "HWC8"]
        else:
            assert tensor.dtype is trt.DataType.FLOAT
    return laid


def layers_of(trt, model, pinnable):
    """One layer a node, named after it as the ONNX parser does."""
    values = onnx.shape_inference.infer_shapes(model).graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*values.value_info, *values.input, *values.output)}
    kinds = {_FLOAT: trt.DataType.FLOAT, _BOOL: trt.DataType.BOOL}

    class Layer:
        __slots__ = ("_outputs", "name", "output_types", "type", *(["precision"] if pinnable else []))

        def __init__(self, index, node):
            self.name = node.name or f"(Unnamed Layer* {index})"
            kinds_of_layer = {"Conv": trt.LayerType.CONVOLUTION, "Constant": trt.LayerType.CONSTANT}
            self.type = kinds_of_layer.get(node.op_type, trt.LayerType.ACTIVATION)
            self._outputs = [Tensor(name, kinds.get(types.get(name), trt.DataType.INT32)) for name in node.output]
            self.output_types = {}

        @property
        def num_outputs(self):
            return len(self._outputs)

        def get_output(self, index):
            return self._outputs[index]

        if pinnable:

            def set_output_type(self, index, dtype):
                self.output_types[self._outputs[index].name] = dtype

    return [Layer(index, node) for index, node in enumerate(model.graph.node)]


def add_names(trt):
    """What a module of TensorRT up to 10 has for INT8."""

    class IInt8EntropyCalibrator2:
        def __init__(self):
            self._constructed = True

    trt.IInt8EntropyCalibrator2 = IInt8EntropyCalibrator2


def require_constructed(instance):
    """The binding crashes later; here at once."""
    if not getattr(instance, "_constructed", False):
        raise SystemError("Segmentation fault: the base class' __init__ was not called")


def _swallow(name, function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001, the defect this double is about
        sys.stderr.write(f"[ERROR] Exception caught in {name}(): {error}\n")
        return None


def given(network):
    """The scales of a build whose tensors have ranges, by tensor; None where an input has none."""
    tensors = [*network.inputs, *(layer.get_output(i) for layer in network.layers for i in range(layer.num_outputs))]
    scales = {tensor.name: tensor.dynamic_range[1] / 127 for tensor in tensors if tensor.dynamic_range}
    assert all(tensor.dynamic_range[0] == -tensor.dynamic_range[1] for tensor in tensors if tensor.dynamic_range)
    return scales if {tensor.name for tensor in network.inputs} <= set(scales) else None


def calibrate(calibrator, network, version, view):
    """The scales of a build, by tensor; None where calibration failed.

    Args:
        calibrator: of the build.
        network: its network.
        version: of the library.
        view: address, size in bytes -> that memory of the GPU.
    """
    assert calibrator.get_batch_size() == 1
    numbers = [int(number) for number in version.split(".")[:3]]
    header = f"TRT-{_NUMBER[numbers[0]](*numbers)}-EntropyCalibration2"
    cache = _swallow("read_calibration_cache", calibrator.read_calibration_cache)
    if cache:
        if sys.getrefcount(cache) <= _UNHELD:
            raise SystemError("Segmentation fault: the cache was freed before TensorRT read it")
        first, *lines = bytes(cache).decode().splitlines()
        if first == header:
            return {
                name: struct.unpack("!f", bytes.fromhex(bits))[0] for name, bits in (x.rsplit(": ", 1) for x in lines)
            }
    scales = _measure(calibrator, onnx.load_from_string(network.data), view)
    if scales:
        text = "\n".join([header, *(f"{name}: {struct.pack('!f', s).hex()}" for name, s in scales.items())])
        _swallow("write_calibration_cache", calibrator.write_calibration_cache, memoryview(f"{text}\n".encode()))
    return scales if scales and min(scales.values()) > 0 else None


def _measure(calibrator, model, view):
    names = [value.name for value in model.graph.input]
    shapes = [tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in model.graph.input]
    floats = [node.output[0] for node in model.graph.node if re.fullmatch("Conv|Relu", node.op_type)]
    known = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in floats if name not in known)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    amax = {}
    while True:
        addresses = _swallow("get_batch", calibrator.get_batch, names)
        if not addresses:
            return {name: float(np.float32(value / 127)) for name, value in amax.items()}
        feeds = {
            name: np.frombuffer(view(address, 4 * int(np.prod(shape))), np.float32).reshape(shape).copy()
            for name, shape, address in zip(names, shapes, addresses)
        }
        for name, value in (*feeds.items(), *zip(floats, session.run(floats, feeds))):
            amax[name] = max(amax.get(name, 0.0), float(np.abs(value).max()))
