"""The TensorRT Python API of one version, made from the releases' own list of names.

A call, flag or argument the version lacks is refused by Python itself, since it is not there. A plan is the ONNX graph
and its settings, run by ONNX Runtime; refit patches the initializers, and voids contexts as TensorRT 8 says.
"""

from __future__ import annotations

import enum
import json
import types

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from tests.doubles.tensorrt import arithmetic, int8, profiling

_FLAGS_8 = ["FP16", "INT8", "DEBUG", "GPU_FALLBACK", "REFIT", "TF32", "OBEY_PRECISION_CONSTRAINTS", "STRICT_TYPES"]
_FLAGS_10 = [*_FLAGS_8[:-1], "BF16", "REFIT_IDENTICAL", "STRIP_PLAN"]
_FLAGS_11 = ["DEBUG", "GPU_FALLBACK", "REFIT", "TF32", "REFIT_IDENTICAL", "STRIP_PLAN"]
_CREATION = {
    1: ["STRONGLY_TYPED"],
    8: ["EXPLICIT_BATCH"],
    10: ["EXPLICIT_BATCH", "STRONGLY_TYPED"],
    11: ["STRONGLY_TYPED"],
}
_FLAGS = {1: _FLAGS_11, 8: _FLAGS_8, 10: _FLAGS_10, 11: _FLAGS_11}


def make(
    version,
    cudart,
    *,
    reverse_tensors=False,
    bad_refit=None,
    build_fails=False,
    fast=True,
    takes_no_cache=False,
    fails_after_calibration=False,
    ignores_int8=False,
    only_reformats=False,
    no_kernel=(),
    dla_cores=2,
    not_on_dla=(),
    wants_more=False,
):
    """A module like ``tensorrt`` of *version*, or like ``tensorrt_rtx`` of a version 1.

    Args:
        version: e.g. ``8.5.2.2``.
        cudart: the double whose stream it enqueues on.
        reverse_tensors: number the tensors of an engine from the last to the first.
        bad_refit: a refit says that it worked, but is ``stale``: it changes nothing, or ``swapped``: it takes each
            kernel for the one before.
        build_fails: every build is refused.
        fast: the GPU has kernels for FP16 and INT8.
        ignores_int8: it chooses FP16 for every layer and says nothing.
        only_reformats: it chooses FP16 for every product, and puts one INT8 reformat into the plan.
        dla_cores: how many deep learning accelerators the machine has.
        not_on_dla: names of the nodes that these do not take.
        no_kernel: ``(node, type)`` pairs that no kernel computes; a build that wants one is refused.
        wants_more: a refit asks for a weight that nobody gave.
        takes_no_cache: a calibration cache is ignored, as TensorRT does with one it finds unfit.
        fails_after_calibration: an INT8 build is refused once it has its scales.
    """
    major = int(version.split(".")[0])
    is_rtx, takes_flags = major == 1, major in (8, 10)
    trt = types.ModuleType("tensorrt_rtx" if is_rtx else "tensorrt")
    trt.__version__ = version
    trt.NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", _CREATION[major], start=0)
    strongly_typed = 1 << _CREATION[major].index("STRONGLY_TYPED") if "STRONGLY_TYPED" in _CREATION[major] else 0
    trt.BuilderFlag = enum.IntEnum("BuilderFlag", _FLAGS[major], start=0)
    trt.MemoryPoolType = enum.Enum("MemoryPoolType", ["WORKSPACE", "DLA_MANAGED_SRAM"])
    trt.ProfilingVerbosity = enum.Enum("ProfilingVerbosity", ["LAYER_NAMES_ONLY", "NONE", "DETAILED"])
    trt.TensorIOMode = enum.Enum("TensorIOMode", ["NONE", "INPUT", "OUTPUT"])
    trt.TensorFormat = enum.IntEnum("TensorFormat", ["LINEAR", "CHW2", "HWC8"], start=0)
    trt.DataType = enum.Enum("DataType", ["FLOAT", "HALF", "INT8", "INT32", "BOOL"])
    trt.DeviceType = enum.Enum("DeviceType", ["GPU", "DLA"])
    trt.LayerType = enum.Enum("LayerType", ["CONVOLUTION", "ACTIVATION", "CONSTANT"])
    trt.log_of_builds, trt.log_of_engines, trt.log_of_nvtx = [], [], []
    if takes_flags:
        int8.add_names(trt)
    if is_rtx:
        trt.ComputeCapability = enum.Enum("ComputeCapability", ["SM75", "SM80", "SM86", "SM89", "SM120"])
    profiling.add_names(trt)

    class ILogger:
        class Severity(enum.IntEnum):
            INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

        def __init__(self):
            self.initialised = True

    class Config:
        __slots__ = (
            "calibrator",
            "DLA_core",
            "default_device_type",
            "flags",
            "pools",
            "profiling_verbosity",
            "timing_cache",
            *(("num_compute_capabilities", "targets") if is_rtx else ()),
        )

        def __init__(self):
            self.flags, self.pools, self.timing_cache = {trt.BuilderFlag.TF32}, {}, None
            self.profiling_verbosity = trt.ProfilingVerbosity.LAYER_NAMES_ONLY
            self.calibrator, self.default_device_type, self.DLA_core = None, trt.DeviceType.GPU, -1
            if is_rtx:
                self.num_compute_capabilities, self.targets = 0, {}

        if takes_flags:

            @property
            def int8_calibrator(self):
                return self.calibrator

            @int8_calibrator.setter
            def int8_calibrator(self, calibrator):
                int8.require_constructed(calibrator)
                self.calibrator = calibrator

        if is_rtx:

            def set_compute_capability(self, target, index):
                self.targets[index] = target.name
                return len(self.targets) <= self.num_compute_capabilities

        def can_run_on_DLA(self, layer):  # noqa: N802
            return layer.name not in not_on_dla and layer.type is not trt.LayerType.CONSTANT

        def set_memory_pool_limit(self, pool, size_bytes):
            self.pools[pool] = size_bytes

        def set_flag(self, flag):
            self.flags.add(trt.BuilderFlag(flag))

        def clear_flag(self, flag):
            self.flags.discard(trt.BuilderFlag(flag))

        def create_timing_cache(self, data):
            assert isinstance(data, bytes)
            return TimingCache(data)

        def set_timing_cache(self, cache, ignore_mismatch):
            self.timing_cache = cache
            return not cache.data or cache.data.startswith(version.encode())

        def get_timing_cache(self):
            return self.timing_cache

    class TimingCache:
        def __init__(self, data):
            self.data = data

        def serialize(self):
            return memoryview(version.encode() + b" timings")

    class Network:
        def __init__(self, flags):
            self.flags, self.data, self.layers, self.inputs, self.outputs = flags, None, [], [], []

        @property
        def num_layers(self):
            return len(self.layers)

        def get_layer(self, index):
            return self.layers[index]

        @property
        def num_inputs(self):
            return len(self.inputs)

        def get_input(self, index):
            return self.inputs[index]

        @property
        def num_outputs(self):
            return len(self.outputs)

        def get_output(self, index):
            return self.outputs[index]

    class OnnxParser:
        def __init__(self, network, logger):
            assert logger.initialised
            self._network, self._errors = network, []

        @property
        def num_errors(self):
            return len(self._errors)

        def get_error(self, index):
            return self._errors[index]

        def parse(self, data):
            try:
                model = onnx.load_from_string(data)
            except DecodeError:
                self._errors.append("not a protobuf")
                return False
            self._errors += [f"no importer for {node.op_type}" for node in model.graph.node if node.op_type == "If"]
            if self._errors:
                return False
            self._network.data, self._network.layers = data, int8.layers_of(trt, model, takes_flags)
            for ours, theirs in (
                (self._network.inputs, model.graph.input),
                (self._network.outputs, model.graph.output),
            ):
                ours.extend(int8.Tensor(value.name, trt.DataType.FLOAT) for value in theirs)
            return True

    class Builder:
        def __init__(self, logger):
            self._logger = logger

        if takes_flags:
            platform_has_fast_fp16 = platform_has_fast_int8 = fast

        num_DLA_cores = dla_cores  # noqa: N815

        def create_network(self, flags):
            allowed = sum(1 << int(flag) for flag in trt.NetworkDefinitionCreationFlag)
            assert flags & ~allowed == 0
            assert major != 8 or flags & 1, "EXPLICIT_BATCH"
            return Network(flags)

        def create_builder_config(self):
            return Config()

        def build_serialized_network(self, network, config):
            if build_fails:
                return self._refuse()
            settings = {
                "version": version,
                "flags": sorted(flag.name for flag in config.flags),
                "workspace": config.pools.get(trt.MemoryPoolType.WORKSPACE),
                "verbosity": config.profiling_verbosity.name,
                "only_reformats": only_reformats,
                "dla": self._on_dla(network, config),
                "typed": bool(network.flags & strongly_typed),
                "io": int8.laid_out(trt, network),
            }
            if settings["dla"] is None:
                return self._refuse()
            if takes_flags:
                pins = [layer for layer in network.layers if hasattr(layer, "precision")]
                settings["pins"] = {layer.name: layer.precision.name for layer in pins}
                settings["output_pins"] = sorted(name for layer in pins for name in layer.output_types)
                if "INT8" in settings["flags"]:
                    settings["scales"] = self._calibrate(network, config)
                    if settings["scales"] is None:
                        return None
                    if fails_after_calibration:
                        return self._refuse()
                if ignores_int8:
                    settings["only_reformats"] = False
                for layer, kind in no_kernel:
                    present = any(known.name == layer for known in network.layers)
                    if present and self._kind_of(layer, settings) == kind:
                        return self._refuse(f"{layer} + PWN({layer}_sigmoid, {layer}_mul)")
            trt.log_of_builds.append(settings)
            kept = (
                settings if not ignores_int8 else {**settings, "flags": [x for x in settings["flags"] if x != "INT8"]}
            )
            return memoryview(json.dumps(kept).encode() + b"\n" + network.data)

        def _on_dla(self, network, config):
            """Core and names of the layers on it, nothing without a core, None where one would need a fallback."""
            if config.default_device_type is trt.DeviceType.GPU:
                return []
            assert config.flags & {trt.BuilderFlag.FP16, trt.BuilderFlag.INT8}, "a DLA has no FP32"
            assert trt.BuilderFlag.REFIT not in config.flags
            taken = [layer.name for layer in network.layers if config.can_run_on_DLA(layer)]
            fallback = trt.BuilderFlag.GPU_FALLBACK in config.flags
            return [config.DLA_core, taken] if fallback or len(taken) == len(network.layers) else None

        def _kind_of(self, layer, settings):
            best = "INT8" if "INT8" in settings["flags"] else "HALF" if "FP16" in settings["flags"] else "FLOAT"
            return settings["pins"].get(layer, best)

        def _refuse(self, node="search_17"):
            reason = f"10: Error Code 10: Internal Error (Could not find any implementation for node {node}.)"
            self._logger.log(ILogger.Severity.ERROR, reason)

        def _calibrate(self, network, config):
            if config.calibrator is None:
                return int8.given(network)
            if takes_no_cache:
                config.calibrator.read_calibration_cache()
                config.calibrator.read_calibration_cache = lambda: None
            scales = int8.calibrate(config.calibrator, network, version, cudart.view)
            if scales is None:
                reason = "Calibration failure occurred with no scaling factors detected."
                self._logger.log(ILogger.Severity.ERROR, reason)
            return scales

    class Runtime:
        def __init__(self, logger):
            self._logger, self.DLA_core = logger, 0

        def deserialize_cuda_engine(self, plan):
            head, _, data = plan.partition(b"\n")
            try:
                settings = json.loads(head)
                model = onnx.load_from_string(data)
            except (ValueError, DecodeError):
                self._logger.log(ILogger.Severity.ERROR, "Engine deserialization failed.")
                return None
            if settings["version"] != version:
                self._logger.log(ILogger.Severity.ERROR, "The engine plan file is not compatible with this version")
                return None
            trt.log_of_engines.append(model.graph.name)
            assert not settings["dla"] or settings["dla"][0] == self.DLA_core, "the core the plan was built for"
            return Engine(settings, model)

    class Engine:
        def __init__(self, settings, model):
            self.settings, self.model, self.generation = settings, model, 0
            graph = model.graph
            values = [*((v, trt.TensorIOMode.INPUT) for v in graph.input)]
            values += [(v, trt.TensorIOMode.OUTPUT) for v in graph.output]
            self._tensors = {value.name: (value, mode) for value, mode in (values[::-1] if reverse_tensors else values)}

        @property
        def num_io_tensors(self):
            return len(self._tensors)

        def get_tensor_name(self, index):
            return list(self._tensors)[index]

        def get_tensor_mode(self, name):
            return self._tensors[name][1]

        def get_tensor_dtype(self, name):
            return trt.DataType[self.settings["io"].get(name, ["FLOAT"])[0]]

        def get_tensor_format(self, name):
            return trt.TensorFormat[self.settings["io"].get(name, [None, "LINEAR"])[1]]

        def get_tensor_shape(self, name):
            return tuple(dim.dim_value for dim in self._tensors[name][0].type.tensor_type.shape.dim)

        def create_engine_inspector(self):
            return profiling.Inspector(trt, self)

        def create_execution_context(self):
            return Context(self)

    class Context:
        def __init__(self, engine):
            self._engine, self._generation, self._addresses = engine, engine.generation, {}
            data = arithmetic.computed(engine.model, engine.settings).SerializeToString()
            self._session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
            self._profiler = None
            self.nvtx_verbosity = trt.ProfilingVerbosity[engine.settings["verbosity"]]

        @property
        def profiler(self):
            return self._profiler

        @profiler.setter
        def profiler(self, profiler):
            int8.require_constructed(profiler)
            self._profiler = profiler

        def set_tensor_address(self, name, address):
            if name not in self._engine._tensors:
                return False
            assert address % 256 == 0, "aligned"
            self._addresses[name] = address
            return True

        def execute_async_v3(self, stream_handle):
            assert self._generation == self._engine.generation, "TensorRT 8: a context is void after a refit"
            trt.log_of_nvtx.append(self.nvtx_verbosity.name)
            addresses = dict(self._addresses)
            assert set(addresses) == set(self._engine._tensors), "every tensor needs an address"
            cudart.enqueue(stream_handle, lambda: self._run(addresses))
            return True

        def _run(self, addresses):
            tensors = {name: self._view(name, address) for name, address in addresses.items()}
            outputs = [node.name for node in self._session.get_outputs()]
            feeds = {node.name: self._read(node.name, tensors[node.name]) for node in self._session.get_inputs()}
            for name, value in zip(outputs, self._session.run(outputs, feeds)):
                self._write(name, tensors[name], value)
            if self._profiler is not None:
                profiling.report(self._profiler, self._engine.model, self._engine.settings)

        def _view(self, name, address):
            shape, kind = self._engine.get_tensor_shape(name), np.float32
            if self._is_wide(name):
                shape, kind = (shape[0], *shape[2:], -(-shape[1] // 8) * 8), np.float16
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            return np.frombuffer(cudart.view(address, size), kind).reshape(shape)

        def _is_wide(self, name):
            return self._engine.get_tensor_format(name) is trt.TensorFormat.HWC8

        def _read(self, name, memory):
            if not self._is_wide(name):
                return memory.copy()
            channels = self._engine.get_tensor_shape(name)[1]
            return np.ascontiguousarray(memory[..., :channels].transpose(0, 3, 1, 2), np.float32)

        def _write(self, name, memory, value):
            if self._is_wide(name):
                memory[..., : value.shape[1]] = value.transpose(0, 2, 3, 1)
            else:
                memory[...] = value

    class Refitter:
        def __init__(self, engine, logger):
            assert "REFIT" in engine.settings["flags"]
            self._engine, self._new = engine, {}
            self._weights = {weight.name: weight for weight in engine.model.graph.initializer}

        def get_all_weights(self):
            return [*self._weights, None]  # a constant of TensorRT's own has no name

        def get_missing_weights(self):
            return ["feature_cls + bias"] if wants_more and self._new else []

        def set_named_weights(self, name, weights):
            assert weights.flags.c_contiguous
            assert weights.dtype == np.float32
            known = self._weights.get(name)
            if known is None or weights.size != int(np.prod(known.dims)):
                return False
            self._new[name] = weights
            return True

        def refit_cuda_engine(self):
            assert not cudart.queue, "undefined with work on the stream"
            self._engine.generation += 1
            names, values = list(self._new), list(self._new.values())
            values = values[-1:] + values[:-1] if bad_refit == "swapped" else values
            for name, weights in zip(names, values) if bad_refit != "stale" else ():
                shape = tuple(self._weights[name].dims)
                self._weights[name].CopyFrom(numpy_helper.from_array(weights.reshape(shape), name))
            return True

    for public in (ILogger, OnnxParser, Builder, Runtime, Refitter):
        setattr(trt, public.__name__, public)
    return trt
