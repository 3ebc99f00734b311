"""The engines of a model chained on the GPU: per frame one upload, one CUDA graph, one synchronisation."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from runtime.decode import decoders
from runtime.matcher import Color, StageTimes
from runtime.tensorrt import compiled
from runtime.tensorrt.crop import CropKernel, part_of_frame
from runtime.tensorrt.device import Buffer, Device
from runtime.tensorrt.engine import Engine
from runtime.tensorrt.refit_proof import Probe
from runtime.tensorrt.search import Search, size_bytes
from runtime.tensorrt.targets import KernelBlock, Target
from siamtrt import Array, EngineMismatchError, GraphPrecisions, InferenceError, Manifest, ModelCard, UsageError
from siamtrt.geometry import Square
from siamtrt.libraries import tensorrt as library


class Chain:
    """A model on the GPU, for one target, or for several where its kernels are inputs.

    The addresses of search's outputs are those of xcorr's inputs of the same name, so features never leave the GPU.

    Args:
        engines: folder of a build for ``tensorrt``.
        card: of the model.
        manifest: of the build.
        decode: choose the box on the GPU; otherwise the maps go back to the host.
        graphs: replay each frame as a CUDA graph; False enqueues step by step, as profilers need it.
        mapped: see :class:`runtime.tensorrt.device.Device`.

    Raises:
        MissingDependencyError: TensorRT, CUDA or the compiled kernels are not on this machine.
        EngineMismatchError: the plans are of another TensorRT, GPU or model.
        InferenceError: there is no usable GPU, or not enough memory.
    """

    def __init__(
        self,
        engines: Path,
        card: ModelCard,
        manifest: Manifest,
        *,
        decode: bool = True,
        graphs: bool = True,
        mapped: Optional[bool] = None,
    ) -> None:
        trt = library.load("tensorrt")
        self.card, self._decode, self._graphs = card, decode, graphs
        kernels = compiled.load_kernels()
        self._device = Device(mapped)
        self._engines: List[Engine] = []
        self._searches: Dict[int, Search] = {}
        self._targets: List[Target] = []
        self._current: Optional[Target] = None  # whose kernels xcorr has
        self._frame: Optional[Buffer] = None
        with contextlib.ExitStack() as undo:
            undo.callback(self._close)
            found = {"tensorrt": trt.__version__, "compute_capability": self._device.compute_capability}
            _require_environment(engines, manifest, found)
            self._open(trt, engines, GraphPrecisions.parse(manifest.settings["precision"]))
            self._crop = CropKernel(self._device, kernels)
            for size_px, decoder in decoders(card).items() if decode else ():
                self._searches[size_px].decode_with(kernels, decoder)
            undo.pop_all()

    def add_target(self) -> Target:
        """Make room for one more target.

        Raises:
            UsageError: the kernels of this model are weights of the engine, so it has room for one.
            InferenceError: there is not enough memory.
        """
        if self._targets and not self.card.kernel_inputs:
            raise UsageError("these engines follow one target", hint="export the model with --kernel-inputs")
        kept = self._device.allocate(self._kernels.size_bytes) if self.card.kernel_inputs else None
        self._targets.append(Target(kept))
        return self._targets[-1]

    def remove_target(self, target: Target) -> None:
        """Forget a target; the last one takes graphs, contexts, engines and memory with it, in this order."""
        if target in self._targets:
            self._targets.remove(target)
            if not self._targets:
                self._close()

    def remember(self, target: Target, frame: Array, square: Square, fill: Color) -> StageTimes:
        """See :class:`runtime.matcher.Matcher`."""
        started_ns = time.perf_counter_ns()
        target.is_known, self._current = False, None
        self._upload(frame)
        self._crop.aim(square, fill)
        self._enqueue_crop(self._template, square.out_px)
        self._target_engine.enqueue(self._device.stream)
        self._kernels.enqueue_save(target)
        self._device.synchronize()
        computed_ns = time.perf_counter_ns()
        for size_px, search in self._searches.items():
            if target.kept is None:
                search.forget_graph()
                search.engines[1].refit(self._kernels.host, self.card.kernel_names)
            if search.graph is None:
                around = Square(square.center_x, square.center_y, square.side_px * size_px // square.out_px, size_px)
                self._crop.aim(around, fill)
                self._prepare(size_px, search)
        target.is_known, self._current = True, target
        return StageTimes(network_ns=computed_ns - started_ns, refit_ns=time.perf_counter_ns() - computed_ns)

    def run(
        self, target: Target, frame: Array, square: Square, fill: Color, last_size: Tuple[float, float]
    ) -> Tuple[Search, StageTimes]:
        """One frame, waited for; crop, network and decode run as one, so ``network_ns`` holds all.

        Args:
            target: of this chain.
            frame: HxWx3 uint8, BGR.
            square: the search region.
            fill: BGR value of the pixels outside the frame.
            last_size: the target's last width and height in crop pixels; used where the GPU chooses the box.

        Returns:
            What holds the answer, valid until the next call.

        Raises:
            InferenceError: the GPU failed, or the target was not remembered.
        """
        if not target.is_known:
            raise InferenceError("no target was remembered", hint="call remember first")
        search = self._searches[square.out_px]
        started_ns = time.perf_counter_ns()
        self._upload(frame, part_of_frame(square))
        self._crop.aim(square, fill)
        if search.decode is not None:
            search.decode.aim(*last_size)
        if self._current is not target:
            self._kernels.enqueue_load(target)
            self._current = target
        if search.graph is None:
            self._enqueue_frame(square.out_px, search)
        else:
            self._device.launch(search.graph)
        self._device.synchronize()
        return search, StageTimes(network_ns=time.perf_counter_ns() - started_ns)

    def _open(self, trt: Any, folder: Path, precisions: GraphPrecisions) -> None:
        """Load the engines, and bind their tensors by name."""
        card, logger = self.card, library.make_logger(trt)
        self._runtime = trt.Runtime(logger)
        template = card.target.inputs[0]
        self._template = self._device.allocate(size_bytes(template.shape))
        self._kernels = KernelBlock(self._device, card)

        def load(graph: str, addresses: Dict[str, int]) -> Engine:
            path, bound = folder / f"{graph}.plan", {**addresses, **self._kernels.addresses}
            self._engines.append(Engine(trt, self._runtime, logger, path, card.graph(graph), bound))
            return self._engines[-1]

        self._target_engine = load(card.target.name, {template.name: self._template})
        for searched in card.searches:
            (stage,) = searched.stages
            search = self._searches[searched.search_px] = Search(self._device, card, stage, maps_stay=self._decode)
            search.engines = [load(graph, search.addresses) for graph in (stage.search, stage.xcorr)]
            if not card.kernel_inputs:
                search.probe = Probe(folder, card, stage.xcorr, precisions.of(card.graph(stage.xcorr)))

    def _upload(self, frame: Array, part: Tuple[slice, slice] = (slice(None), slice(None))) -> None:
        """Put rows and columns of *frame* where the GPU reads it; a copy to the GPU is part of what is enqueued."""
        if self._frame is None or self._frame.host.shape != frame.shape:
            for search in self._searches.values():
                search.forget_graph()  # it would read the frame at the old address
            if self._frame is not None:
                self._device.release(self._frame)
                self._frame = None
            self._frame = self._device.buffer(frame.shape, np.uint8)
        np.copyto(self._frame.host[part], frame[part])

    def _enqueue_crop(self, out: int, out_px: int) -> None:
        """Enqueue the upload of the frame, and its crop."""
        if self._frame is None:
            raise InferenceError("no frame was uploaded")
        self._device.send(self._frame)
        self._crop.enqueue(self._frame, out, out_px)

    def _enqueue_frame(self, size_px: int, search: Search) -> None:
        """Enqueue all that one frame needs."""
        self._enqueue_crop(search.crop, size_px)
        search.enqueue()

    def _prepare(self, size_px: int, search: Search) -> None:
        """Run one frame, prove by it that a refit took effect, and capture the next ones."""
        self._enqueue_frame(size_px, search)  # the first run may allocate, which a capture forbids
        search.enqueue_evidence()
        self._device.synchronize()
        search.require_proof(self._kernels.host)
        if self._graphs:
            search.graph = self._device.capture(lambda: self._enqueue_frame(size_px, search))

    def _close(self) -> None:
        for search in self._searches.values():
            search.forget_graph()
        for engine in self._engines:
            engine.close()
        self._engines.clear()
        self._searches.clear()
        self._device.close()


def _require_environment(engines: Path, manifest: Manifest, found: Dict[str, str]) -> None:
    """Prove that plans belong to this machine, before TensorRT reads them.

    Raises:
        EngineMismatchError: they were built with another TensorRT or for another GPU.
    """
    for key, here in found.items():
        built = manifest.environment.get(key)
        if built != here:
            raise EngineMismatchError(
                f"{engines} was built for {key} {built}, this machine has {here}", hint=manifest.command
            )
