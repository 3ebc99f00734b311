"""What both TensorRT builders share: their options, and a network from its ONNX graph to its proved plan."""

from __future__ import annotations

import logging
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Sequence

import onnx

from siamtrt import BuildError, UsageError
from siamtrt.libraries import tensorrt as library
from siamtrt.libraries.inspector import any_on_accelerator, fused_names, integer_share, plan_layers

FLOAT32, HWC8 = FEATURES = ("float32", "hwc8")
OUR_RANGES, TENSORRT = CALIBRATORS = ("ranges", "tensorrt")
_HEARTBEAT_S = 10.0
_EXPECTED_SHARE = 0.5
_NO_KERNEL = re.compile(r"Could not find any implementation for node (.+?)(?: due to|\.?\)|\.?$|; )")
_MIB_BYTES = 1 << 20

log = logging.getLogger(__name__)


class NoKernelError(BuildError):
    """TensorRT has no kernel for a layer in the precisions it was allowed.

    Attributes:
        layers: names of the nodes that are fused into that layer.
    """

    def __init__(self, problem: str, layers: Sequence[str], *, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.layers = tuple(layers)


@dataclass(frozen=True)
class TensorrtOptions:
    """Settings of a build beside its precision; the defaults suit a Jetson AGX Xavier.

    Attributes:
        workspace_mib: scratch memory a layer may take while it runs.
        timing_cache: folder of the caches that make a second build fast; None keeps none.
        compute_capabilities: the GPUs that a plan of TensorRT-RTX shall run on, e.g. ``("8.9",)``; empty leaves the
            choice to the library.
        calibrator: one of ``CALIBRATORS``: take the ranges of the calibration as they are, or let TensorRT measure its
            own over the samples; xcorr, whose samples are not stored, always takes the former.
        features: how what search puts out lies for xcorr, one of ``FEATURES``: plain float32, or float16 with eight
            channels side by side, which saves both engines a conversion where their kernels work in that.
        dla: graphs that a deep learning accelerator computes as far as it can, as ``GRAPH=CORE``; the GPU does what is
            left.
    """

    workspace_mib: int = 1024
    timing_cache: Path | None = None
    compute_capabilities: tuple[str, ...] = ()
    calibrator: str = OUR_RANGES
    features: str = FLOAT32
    dla: tuple[str, ...] = ()

    def dla_core(self, graph: str) -> int | None:
        """The core that computes *graph*; None leaves it to the GPU."""
        return library.dla_cores(self.dla).get(graph)


@dataclass(frozen=True)
class Building:
    """A network that TensorRT is about to build, and all that takes part in it: objects of its Python API."""

    trt: Any
    logger: Any
    builder: Any
    network: Any
    config: Any

    @classmethod
    def of(cls, trt: Any, kind: Any, model: onnx.ModelProto, source: Path, options: TensorrtOptions) -> Building:
        """Parse *model* and configure its build.

        Args:
            trt: the library.
            kind: what network to create, one of its ``NetworkDefinitionCreationFlag``.
            model: the graph.
            source: its file, for messages.
            options: settings of the build.

        Raises:
            BuildError: the parser refused the graph; all its errors are in the message.
        """
        logger = library.make_logger(trt)
        builder = trt.Builder(logger)
        network = builder.create_network(1 << int(kind))
        parser = trt.OnnxParser(network, logger)
        if not parser.parse(model.SerializeToString()):
            errors = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
            raise BuildError(f"TensorRT {trt.__version__} cannot read {source}: {errors or library.problems(logger)}")
        config = builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB_BYTES)
        config.clear_flag(trt.BuilderFlag.TF32)  # FP32 means FP32 on every GPU
        config.profiling_verbosity = (
            trt.ProfilingVerbosity.DETAILED
        )  # costs nothing where a context is told to be quiet
        return cls(trt, logger, builder, network, config)

    @property
    def layers(self) -> list[Any]:
        """The layers of the network."""
        return [self.network.get_layer(index) for index in range(self.network.num_layers)]

    def lay_out(self, names: Sequence[str], features: str) -> None:
        """Let the inputs and outputs *names* lie as *features* says, one of ``FEATURES``."""
        if features == FLOAT32:
            return
        network = self.network
        inputs = [network.get_input(index) for index in range(network.num_inputs)]
        outputs = [network.get_output(index) for index in range(network.num_outputs)]
        for tensor in (*inputs, *outputs):
            if tensor.name in names:
                tensor.dtype = self.trt.DataType.HALF
                tensor.allowed_formats = 1 << int(self.trt.TensorFormat.HWC8)

    def send_to_dla(self, core: int, name: str) -> None:
        """Let a deep learning accelerator compute the layers it can, the GPU the others, and log which are which.

        Raises:
            UsageError: there is no such core.
        """
        trt, config = self.trt, self.config
        if core >= self.builder.num_DLA_cores:
            raise UsageError(
                f"this machine has {self.builder.num_DLA_cores} DLA cores, so no number {core}", hint="leave --dla out"
            )
        config.default_device_type, config.DLA_core = trt.DeviceType.DLA, core
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
        on_gpu = [layer.name for layer in self.layers if not config.can_run_on_DLA(layer)]
        log.info("%s: %d of %d layers on DLA core %d", name, len(self.layers) - len(on_gpu), len(self.layers), core)
        for layer in on_gpu:
            log.info("%s: %s stays on the GPU", name, layer)

    def keep_float32(self, nodes: Sequence[str]) -> None:
        """Let the layers of *nodes* that yield floating point compute in FP32, whatever else the build allows."""
        kind = self.trt.DataType.FLOAT
        for layer in self.layers:
            outputs = [layer.get_output(index) for index in range(layer.num_outputs)]
            if layer.name in nodes and all(output.dtype == kind for output in outputs):
                layer.precision = kind
                for index in range(layer.num_outputs):
                    layer.set_output_type(index, kind)
        self.config.set_flag(self.trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)

    def serialized(self, name: str, *, hint: str) -> bytes:
        """Build the network into the plan *name*, with a line in the log every few seconds.

        Raises:
            NoKernelError: there is no kernel for a layer.
            BuildError: TensorRT refused for another reason; *hint* is what may help.
        """
        with heartbeat(name):
            plan = self.builder.build_serialized_network(self.network, self.config)
        if plan is None:
            problems = library.problems(self.logger)
            sentence = f"TensorRT {self.trt.__version__} cannot build {name}: {problems}"
            stuck = _NO_KERNEL.search(problems)
            if stuck:
                raise NoKernelError(sentence, fused_names(stuck[1]), hint=hint)
            raise BuildError(sentence, hint=hint)
        return bytes(plan)

    def require_refittable(self, plan: bytes, names: Sequence[str]) -> None:
        """Prove that every weight of *names* can be replaced in *plan*.

        Raises:
            BuildError: one was folded away or renamed.
        """
        engine = self._load(plan)
        refitter = self.trt.Refitter(engine, self.logger)
        missing = sorted(set(names) - set(refitter.get_all_weights()))
        if missing:
            raise BuildError(
                f"the plan has no replaceable weights called {', '.join(missing)}", hint="export the model anew"
            )

    def require_int8(self, plan: bytes, name: str, core: int | None = None) -> None:
        """Prove that products of a plan are computed on INT8 weights, and log what share of them.

        A calibration cache from elsewhere may be ignored without an error, and the plan is then a slow FP16 one.
        What an accelerator computes is one layer without weights, of which nothing can be told.

        Args:
            plan: the plan.
            name: its name, for messages.
            core: of a deep learning accelerator that it is for.

        Raises:
            BuildError: none is.
        """
        engine = self._load(plan, core)
        layers = plan_layers(library.layer_information(self.trt, engine), name) or []
        if any_on_accelerator(layers):
            log.info("the part of %s on the accelerator is one layer to TensorRT: not proved to be in INT8", name)
            return
        share = integer_share(layers)
        if not share:
            raise BuildError(f"no product of {name} is in INT8", hint="--calibrator tensorrt, or --precision fp16")
        level = logging.INFO if share >= _EXPECTED_SHARE else logging.WARNING
        log.log(level, "%.1f %% of the multiply-accumulates of %s are in INT8", 100 * share, name)

    def _load(self, plan: bytes, core: int | None = None) -> Any:
        engine = library.load_plan(self.trt.Runtime(self.logger), plan, core)
        if engine is None:
            raise BuildError(f"TensorRT cannot load the plan it just built: {library.problems(self.logger)}")
        return engine


@contextmanager
def heartbeat(name: str, period_s: float = _HEARTBEAT_S) -> Iterator[None]:
    """Log the elapsed time while a block runs: a build takes minutes on a board and must not look hung."""
    done = threading.Event()
    started_s = time.monotonic()

    def beat() -> None:
        while not done.wait(period_s):
            log.info("building %s, %.0f s so far", name, time.monotonic() - started_s)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
