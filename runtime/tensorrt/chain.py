"""A model on the GPU, for its targets: per frame one upload, one CUDA graph, one synchronisation."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from runtime.decode import Decoder
from runtime.matcher import Color, StageTimes
from runtime.tensorrt import compiled
from runtime.tensorrt.crop import part_of_frame
from runtime.tensorrt.decode import DecodeKernel
from runtime.tensorrt.device import Device
from runtime.tensorrt.frame import WHOLE, FrameOnGpu
from runtime.tensorrt.kernel_block import KernelBlock, Target
from runtime.tensorrt.plans import Plans
from runtime.tensorrt.search import Search
from runtime.tensorrt.stage import Stage
from siamtrt import Array, InferenceError, Manifest, ModelCard, UsageError
from siamtrt.card import SearchCard
from siamtrt.geometry import Square
from siamtrt.libraries import tensorrt as library


@dataclass(frozen=True)
class ChainOptions:
    """How a chain works; the boxes are the same.

    Attributes:
        decode: choose the box on the GPU, so that 28 bytes come back a frame; else the maps come back, 75 KB.
        graphs: replay each frame as a CUDA graph; False enqueues it step by step, as profilers need it.
        mapped: let the GPU use host memory in place instead of copying; None where they share one memory, as on a
            Jetson.
    """

    decode: bool = True
    graphs: bool = True
    mapped: bool | None = None


class Chain:
    """A model on the GPU, for one target, or for several where its kernels are inputs.

    Args:
        engines: folder of a build for ``tensorrt``.
        card: of the model.
        manifest: of the build.
        options: how it works.

    Raises:
        MissingDependencyError: TensorRT, CUDA or the compiled kernels are not on this machine.
        EngineMismatchError: the plans are of another TensorRT, GPU or model.
        InferenceError: there is no usable GPU, or not enough memory.
    """

    def __init__(self, engines: Path, card: ModelCard, manifest: Manifest, options: ChainOptions) -> None:
        trt = library.load("tensorrt")
        self.card, self._options = card, options
        self._kernel_library = compiled.load_kernels()
        self._targets: list[Target] = []
        self._current: Target | None = None  # whose kernels xcorr has
        with contextlib.ExitStack() as resources:
            self._device = Device(options.mapped)
            resources.callback(self._device.close)
            self._plans = Plans(trt, engines, card, manifest, self._device.compute_capability)
            resources.callback(self._plans.close)
            template = card.target.inputs[0]
            self._template = self._device.allocate(template.size_bytes)
            self._kernels = KernelBlock(self._device, card)
            self._target_engine = self._plans.open(
                card.target.name, {template.name: self._template, **self._kernels.addresses}
            )
            self._frame = FrameOnGpu(self._device, self._kernel_library)
            self._searches = {search.search_px: self._open_search(search) for search in card.searches}
            for search in self._searches.values():
                resources.callback(search.forget_graph)
            self._resources = resources.pop_all()

    def add_target(self) -> Target:
        """Make room for one more target.

        Raises:
            UsageError: the kernels of this model are weights of the engine, so it has room for one.
            InferenceError: there is not enough memory.
        """
        if self._targets and not self.card.kernel_inputs:
            raise UsageError("these engines follow one target", hint="export the model with --kernel-inputs")
        self._targets.append(self._kernels.new_target())
        return self._targets[-1]

    def remove_target(self, target: Target) -> None:
        """Forget a target; the last one takes graphs, contexts, engines and memory with it, in this order."""
        if target in self._targets:
            self._targets.remove(target)
            if not self._targets:
                self._resources.close()

    def remember(self, target: Target, frame: Array, square: Square, fill: Color) -> StageTimes:
        """Take the target in *square* of *frame*, see :class:`runtime.locator.Locator`.

        Raises:
            InferenceError: the GPU failed.
            ParityError: a refit did not take effect.
        """
        started_ns = time.perf_counter_ns()
        target.is_known, self._current = False, None
        self._show(frame, WHOLE)
        self._frame.aim(square, fill)
        self._frame.enqueue_crop(self._template, square.out_px)
        self._target_engine.enqueue(self._device.stream)
        self._kernels.enqueue_save(target)
        self._device.synchronize()
        computed_ns = time.perf_counter_ns()
        for size_px, search in self._searches.items():
            if not self.card.kernel_inputs:
                search.refit(self._kernels.host)
            if not search.is_captured:
                around = Square(square.center_x, square.center_y, square.side_px * size_px // square.out_px, size_px)
                self._frame.aim(around, fill)
                search.prepare(self._kernels.host, capture=self._options.graphs)
        target.is_known, self._current = True, target
        return {"target": computed_ns - started_ns, "refit": time.perf_counter_ns() - computed_ns}

    def run(
        self, target: Target, frame: Array, square: Square, fill: Color, last_size: tuple[float, float]
    ) -> tuple[Search, StageTimes]:
        """One frame, waited for; crop, network and decode run as one, so the time of ``network`` holds all.

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
        self._show(frame, part_of_frame(square))
        self._frame.aim(square, fill)
        search.aim(last_size)
        if self._current is not target:
            self._kernels.enqueue_load(target)
            self._current = target
        search.run()
        self._device.synchronize()
        return search, {"network": time.perf_counter_ns() - started_ns}

    def _open_search(self, search: SearchCard) -> Search:
        (stage,) = search.stages
        picture = self.card.graph(stage.search).inputs[0]
        crop = self._device.allocate(picture.size_bytes)
        given = {picture.name: crop, **self._kernels.addresses}
        opened = Stage(self._device, self._plans, self.card, stage, given, maps_stay=self._options.decode)
        decode = self._decode(search, opened) if self._options.decode else None
        return Search(self._device, self._frame, crop, search.search_px, opened, decode)

    def _decode(self, search: SearchCard, stage: Stage) -> DecodeKernel:
        cls, loc = (stage.maps[name].address for name in ("cls", "loc"))
        return DecodeKernel(self._device, self._kernel_library, Decoder(self.card, search), cls, loc)

    def _show(self, frame: Array, part: tuple[slice, slice]) -> None:
        """Put rows and columns of *frame* where the GPU reads it; a copy to the GPU is part of what is enqueued."""
        if not self._frame.fits(frame):
            for search in self._searches.values():
                search.forget_graph()  # it would read the frame at the old address
            self._frame.make_room(frame.shape)
        self._frame.write(frame, part)
