"""A model on the GPU, for its targets: per frame one upload, one CUDA graph, one synchronisation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runtime.decode import Decoder
from runtime.frames import Frame
from runtime.matcher import Color, StageTimes
from runtime.nv12 import Part
from runtime.tensorrt import compiled
from runtime.tensorrt.crop import part_of_frame
from runtime.tensorrt.device import Device
from runtime.tensorrt.frame import FrameOnGpu
from runtime.tensorrt.kernel_block import KernelBlock, Target
from runtime.tensorrt.plans import Plans
from runtime.tensorrt.stage import Stage
from runtime.tensorrt.stages import Stages
from runtime.together import Asked
from siamtrt import InferenceError, Manifest, ModelCard, UsageError
from siamtrt.card import SearchCard
from siamtrt.geometry import Square
from siamtrt.libraries import tensorrt as library

_WHOLE = (slice(None), slice(None))


@dataclass(frozen=True)
class ChainOptions:
    """How a chain works; the boxes are the same.

    Attributes:
        decode: choose the box on the GPU, so that 28 bytes come back a frame; else the maps come back, 75 KB.
        graphs: replay each frame as a CUDA graph; False enqueues it step by step, as profilers need it.
        mapped: let the GPU use host memory in place instead of copying; None where they share one memory, as on a
            Jetson.
        staged: copy the part of a mapped frame that is cut into the GPU's own memory before it is cut, see
            :class:`FrameOnGpu`; ``python3 -m benchmarks kernels`` tells on a board whether that is faster.
        wait: how the process waits for the GPU, see :class:`Device`.
    """

    decode: bool = True
    graphs: bool = True
    mapped: bool | None = None
    staged: bool = False
    wait: str | None = None


class Chain:
    """A model on the GPU, for one target, or for several where its kernels are inputs.

    Args:
        engines: folder of a build for ``tensorrt`` or ``typed``.
        card: of the model.
        manifest: of the build; names the library that opens it.
        options: how it works.

    Raises:
        MissingDependencyError: TensorRT, CUDA or the compiled kernels are not on this machine.
        EngineMismatchError: the plans are of another TensorRT, GPU or model.
        InferenceError: there is no usable GPU, or not enough memory.
    """

    def __init__(self, engines: Path, card: ModelCard, manifest: Manifest, options: ChainOptions) -> None:
        trt, kernels = library.load(library.name_of(manifest.environment)), compiled.load_kernels()
        self.card, self._options = card, options
        self._targets: list[Target] = []
        self._current: Target | None = None  # whose kernels xcorr has
        with contextlib.ExitStack() as resources:
            self._device = Device(options.mapped, wait=options.wait)
            resources.callback(self._device.close)
            plans = Plans(trt, engines, card, manifest, self._device.compute_capability)
            resources.callback(plans.close)
            self._frame = FrameOnGpu(self._device, kernels, count=card.targets, staged=options.staged)
            self._kernels = KernelBlock(self._device, card)
            template = card.target.inputs[0]
            self._template = self._device.allocate(template.size_bytes)
            given = {template.name: self._template, **self._kernels.made}
            self._target_engine = plans.open(card.target.name, given)
            self._stages: dict[int, Stage | Stages] = {}
            for search in card.searches:
                stage = self._stages[search.search_px] = self._open_stage(plans, search)
                resources.callback(stage.forget_graph)
                if options.decode:
                    stage.decode_with(kernels, Decoder(card, search))
            self._resources = resources.pop_all()

    @property
    def is_captured(self) -> bool:
        """Whether frames run as CUDA graphs, which is so once a target was remembered, unless that cannot be."""
        return all(stage.graph is not None for stage in self._stages.values())

    def add_target(self) -> Target:
        """Make room for one more target.

        Raises:
            UsageError: the kernels of this model are weights of the engine, so it has room for one; or all places of
                engines for several targets are taken.
            InferenceError: there is not enough memory.
        """
        if self._targets and not self.card.kernel_inputs:
            raise UsageError("these engines follow one target", hint="export the model with --kernel-inputs")
        taken = [target.place for target in self._targets]
        place = 0 if self.card.targets == 1 else next(place for place in range(len(taken) + 1) if place not in taken)
        if place >= self.card.targets:
            raise UsageError(f"these engines follow {self.card.targets} targets", hint="open them once more")
        self._targets.append(self._kernels.new_target(place))
        return self._targets[-1]

    def remove_target(self, target: Target) -> None:
        """Forget a target; the last one takes graphs, contexts, engines and memory with it, in this order."""
        if target in self._targets:
            self._targets.remove(target)
            if not self._targets:
                self._resources.close()

    def remember(self, target: Target, frame: Frame, square: Square, fill: Color) -> StageTimes:
        """Take the target in *square* of *frame*, see :class:`runtime.locator.Locator`.

        Raises:
            InferenceError: the GPU failed.
            ParityError: a refit did not take effect.
        """
        started_ns = time.perf_counter_ns()
        target.is_known, self._current = False, None
        self._show(frame, _WHOLE)
        self._frame.crops[0].aim(square, fill)
        self._frame.enqueue_crop(self._template, square.out_px)
        self._target_engine.enqueue(self._device.stream)
        self._kernels.enqueue_save(target)
        self._device.synchronize()
        computed_ns = time.perf_counter_ns()
        for size_px, stage in self._stages.items():
            stage.refit(self._kernels.host)
            if stage.graph is None:
                around = Square(square.center_x, square.center_y, square.side_px * size_px // square.out_px, size_px)
                self._frame.crops[0].aim(around, fill)
                stage.prepare(self._kernels.host, capture=self._options.graphs)
        target.is_known, self._current = True, target
        return {"target": computed_ns - started_ns, "refit": time.perf_counter_ns() - computed_ns}

    def begin(self, frame: Frame, asked: Sequence[tuple[Target, Asked]]) -> Stage | Stages:
        """Take what one frame needs before its stages run; nothing waits.

        Args:
            frame: HxWx3 uint8 in BGR, or NV12.
            asked: see :meth:`run`.

        Raises:
            InferenceError: the GPU failed, or a target was not remembered.
        """
        if not all(target.is_known for target, _ in asked):
            raise InferenceError("no target was remembered", hint="call remember first")
        (size_px,) = {one.square.out_px for _, one in asked}
        stage = self._stages[size_px]
        for target, one in asked:
            self._show(frame, part_of_frame(one.square))
            self._frame.crops[target.place].aim(one.square, one.fill)
            stage.aim(target.place, one.last_size)
            if target.copy is not None and self._current is not target:
                self._kernels.enqueue_load(target)
            self._current = target
        return stage

    def run(self, frame: Frame, asked: Sequence[tuple[Target, Asked]]) -> tuple[Stage | Stages, StageTimes]:
        """Look for targets in one frame, see :class:`runtime.locator.Locator`, and wait for the answers.

        Args:
            frame: HxWx3 uint8 in BGR, or NV12.
            asked: one target, or several at places of their own of engines that serve as many; all squares are of one
                ``out_px``.

        Returns:
            What holds the answers, valid until the next call; and the times: crop, network and decode run as one, so
            that of ``network`` holds all.

        Raises:
            InferenceError: the GPU failed, or a target was not remembered.
        """
        started_ns = time.perf_counter_ns()
        stage = self.begin(frame, asked)
        stage.run()
        self._device.synchronize()
        return stage, {"network": time.perf_counter_ns() - started_ns}

    def _open_stage(self, plans: Plans, search: SearchCard) -> Stage | Stages:
        first, *later = search.stages
        picture = self.card.graph(first.search).inputs[0]
        crop = self._device.allocate(picture.size_bytes)
        given = {picture.name: crop, **self._kernels.read}
        before = partial(self._frame.enqueue_crop, crop, search.search_px, count=self.card.targets)
        stay = self._options.decode
        stages = [Stage(self._device, plans, self.card, first, given, before, maps_stay=stay)]
        for card in later:
            stages.append(
                Stage(self._device, plans, self.card, card, given, _nothing, maps_stay=stay, earlier=tuple(stages))
            )
        return Stages(self._device, stages) if search.has_exits else stages[0]

    def _show(self, frame: Frame, part: Part) -> None:
        """Put rows and columns of *frame* where the GPU reads it; a copy to the GPU is part of what is enqueued."""
        if not self._frame.fits(frame):
            for stage in self._stages.values():
                stage.forget_graph()  # it would read the frame at the old address
            self._frame.make_room(frame)
        self._frame.write(frame, part)


def _nothing() -> None:
    """What a stage that reads earlier ones has to run first."""
