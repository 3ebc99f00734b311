"""One plan on the GPU, its tensors bound by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runtime.tensorrt.layout import LINEAR, Layout
from siamtrt import EngineMismatchError, GraphCard, InferenceError, Tensors
from siamtrt.libraries import tensorrt as library

_REBUILD = "build the engines anew on this machine: make engines BACKEND=tensorrt"


class Engine:
    """A plan whose tensors are the card's.

    Args:
        trt: the TensorRT library.
        runtime: its runtime; it has to outlive the engine.
        logger: its logger, see :func:`siamtrt.libraries.tensorrt.make_logger`.
        path: of the plan.
        graph: what the model card says of it.
        addresses: tensor name -> address on the GPU; has every tensor of *graph*.
        layouts: tensor name -> how it lies there, where that is another way than plain float32.
        core: of a deep learning accelerator that the plan is for; None for the GPU alone.

    Raises:
        EngineMismatchError: the plan is of another TensorRT, GPU or model.
        InferenceError: there is not enough memory to run it.
    """

    def __init__(
        self,
        trt: Any,
        runtime: Any,
        logger: Any,
        path: Path,
        graph: GraphCard,
        addresses: dict[str, int],
        layouts: Mapping[str, Layout],
        core: int | None = None,
    ) -> None:
        self._trt, self._logger, self._path = trt, logger, path
        self._names = [spec.name for spec in (*graph.inputs, *graph.outputs)]
        self._addresses = addresses
        self._engine = library.load_plan(runtime, path.read_bytes(), core)
        if self._engine is None:
            raise EngineMismatchError(f"TensorRT cannot load {path}: {library.problems(logger)}", hint=_REBUILD)
        self._require_interface(graph, layouts)
        self._context = self._new_context()

    def enqueue(self, stream: int) -> None:
        """Put one run on a stream.

        Raises:
            InferenceError: TensorRT refused.
        """
        if not self._context.execute_async_v3(stream):
            raise InferenceError(f"TensorRT cannot run {self._path}: {library.problems(self._logger)}")

    def refit(self, kernels: Tensors, names: Sequence[str]) -> None:
        """Replace the weights *names*. Nothing may be on the stream; captured graphs are void afterwards.

        Args:
            kernels: by name; float32, alive and unchanged until this returns.
            names: those of the model card.

        Raises:
            InferenceError: TensorRT refused a weight, or wants more than was given.
        """
        # With one thread, the default: 8.5.2 holds Python's lock during a refit, and a thread of its own that logs
        # through our logger would wait for that lock for ever.
        refitter = self._trt.Refitter(self._engine, self._logger)
        for name in names:
            if not refitter.set_named_weights(name, np.ascontiguousarray(kernels[name], np.float32)):
                raise InferenceError(f"{self._path} takes no weights {name}: {library.problems(self._logger)}")
        missing = list(refitter.get_missing_weights())
        if missing or not refitter.refit_cuda_engine():
            raise InferenceError(
                f"{self._path} cannot be refitted, missing {missing}: {library.problems(self._logger)}", hint=_REBUILD
            )
        # TensorRT 8 forbids the use of a context that is older than a refit.
        self._context = None
        self._context = self._new_context()

    def close(self) -> None:
        """Free the context, then the engine."""
        self._context = None
        self._engine = None

    def _new_context(self) -> Any:
        context = library.execution_context(self._trt, self._engine)
        if context is None:
            raise InferenceError(
                f"TensorRT cannot make a context for {self._path}: {library.problems(self._logger)}",
                hint="free memory of the GPU ('free -m' on a Jetson)",
            )
        for name in self._names:
            if not context.set_tensor_address(name, self._addresses[name]):
                raise InferenceError(f"TensorRT cannot bind {name} of {self._path}")
        return context

    def _require_interface(self, graph: GraphCard, layouts: Mapping[str, Layout]) -> None:
        engine, modes = self._engine, self._trt.TensorIOMode
        tensors = {}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            is_input = engine.get_tensor_mode(name) == modes.INPUT
            lies = engine.get_tensor_dtype(name).name, engine.get_tensor_format(name).name
            tensors[name] = (is_input, *lies, tuple(engine.get_tensor_shape(name)))
        wanted = {}
        for is_input, specs in ((True, graph.inputs), (False, graph.outputs)):
            for spec in specs:
                layout = layouts.get(spec.name, LINEAR)
                wanted[spec.name] = (is_input, layout.type_name, layout.format_name, spec.shape)
        if tensors != wanted:
            raise EngineMismatchError(
                f"{self._path} has the tensors {tensors} (input, type, format, shape), its model card says {wanted}",
                hint=_REBUILD,
            )
