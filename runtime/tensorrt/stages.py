"""The stages of a search with exits on the GPU: a captured graph a stage, and one for each run of first stages."""

from __future__ import annotations

import logging
from typing import Any, Sequence

from runtime.decode import Candidate, Decoder
from runtime.tensorrt.device import Buffer, Device
from runtime.tensorrt.stage import Stage
from siamtrt import InferenceError, Tensors

log = logging.getLogger(__name__)


class Stages:
    """Stages that run one after another, as far as they are asked to; all of them where nobody asks.

    A frame that starts with several stages launches them as one graph and waits once.

    Args:
        device: the GPU.
        stages: in order; each reads what those before put out, at the same addresses.

    Attributes:
        graph: the captured run of all stages; None until it is.
    """

    def __init__(self, device: Device, stages: Sequence[Stage]) -> None:
        self._device, self._stages = device, tuple(stages)
        self._prefixes: dict[int, int] = {}  # how many stages -> the captured run of these
        self._done = 0

    @property
    def graph(self) -> int | None:
        return self._prefixes.get(len(self._stages))

    @property
    def maps(self) -> dict[str, Buffer]:
        """Outputs of the last xcorr engine, by name."""
        return self._stages[-1].maps

    def decode_with(self, library: Any, decoder: Decoder) -> None:
        """See :meth:`Stage.decode_with`."""
        for stage in self._stages:
            stage.decode_with(library, decoder)

    def aim(self, place: int, last_size: tuple[float, float]) -> None:
        """See :meth:`Stage.aim`; a new frame begins."""
        self._done = 0
        for stage in self._stages:
            stage.aim(place, last_size)

    def run(self) -> None:
        """Enqueue all stages."""
        self.advance(len(self._stages))

    def advance(self, number: int) -> list[list[float]]:
        """Enqueue the stages up to *number* that this frame has not run, and wait for them.

        Returns:
            The scores of each of these exits.

        Raises:
            InferenceError: the GPU failed.
        """
        begun = self._done
        if not begun and number in self._prefixes:
            self._device.launch(self._prefixes[number])
        else:
            for stage in self._stages[begun:number]:
                stage.run()
        self._device.synchronize()
        self._done = max(begun, number)
        return [stage.scores for stage in self._stages[begun:number]]

    def answer(self, number: int) -> Stage:
        """The stage that holds the answer of exit *number*, which this frame has reached."""
        return self._stages[number - 1]

    def box(self, place: int = 0) -> Candidate:
        """See :meth:`Stage.box`: that of the last exit."""
        return self._stages[-1].box(place)

    def refit(self, kernels: Tensors) -> None:
        """See :meth:`Stage.refit`: all stages at once, since a later refit would fall into some frame."""
        self._forget_prefixes()
        for stage in self._stages:
            stage.refit(kernels)

    def prepare(self, kernels: Tensors, *, capture: bool) -> None:
        """See :meth:`Stage.prepare`; then capture the runs of the first stages."""
        for stage in self._stages:
            stage.prepare(kernels, capture=capture)
        if capture and all(stage.graph is not None for stage in self._stages):
            for count in range(1, len(self._stages) + 1):
                self._prefixes[count] = self._device.capture(lambda count=count: self._enqueue(count))  # type: ignore[misc]

    def forget_graph(self) -> None:
        """Free all that was captured."""
        self._forget_prefixes()
        for stage in self._stages:
            stage.forget_graph()

    def _enqueue(self, count: int) -> None:
        for stage in self._stages[:count]:
            stage.enqueue()

    def _forget_prefixes(self) -> None:
        while self._prefixes:
            self._device.forget(self._prefixes.popitem()[1])


def require_stages(stages: Stage | Stages) -> Stages:
    """Prove that a search runs in stages.

    Raises:
        InferenceError: it runs as a whole.
    """
    if not isinstance(stages, Stages):
        raise InferenceError("this search has no exits", hint="export with --exits")
    return stages
