"""What the tracker talks to on TensorRT: with maps, or with the box itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import List, Optional, Tuple, Union

from runtime.locator import Located
from runtime.matcher import Color, Response, StageTimes
from runtime.tensorrt.chain import Chain
from siamtrt import Array, Manifest, ModelCard
from siamtrt.geometry import Square

log = logging.getLogger(__name__)


class _OneTarget:
    """One target on a chain, which the last target closes.

    Args:
        chain: of the model.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain, self._target = chain, chain.add_target()

    @property
    def card(self) -> ModelCard:
        """See :class:`runtime.matcher.Matcher`."""
        return self._chain.card

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """See :class:`runtime.matcher.Matcher`."""
        return self._chain.remember(self._target, frame, square, fill)

    def close(self) -> None:
        """See :class:`runtime.matcher.Matcher`."""
        self._target.is_known = False
        self._chain.remove_target(self._target)


class TensorrtMatcher(_OneTarget):
    """A :class:`runtime.matcher.Matcher` on a chain without decode: 75 KB of maps come back a frame."""

    def match(self, frame: Array, square: Square, fill: Color) -> Response:
        """See :class:`runtime.matcher.Matcher`."""
        search, times = self._chain.run(self._target, frame, square, fill, (0.0, 0.0))
        return Response(search.maps["cls"].host[0], search.maps["loc"].host[0], times)


class TensorrtLocator(_OneTarget):
    """A :class:`runtime.locator.Locator` on a chain with decode: 28 bytes come back a frame."""

    def locate(self, frame: Array, square: Square, fill: Color, last_size: Tuple[float, float]) -> Located:
        """See :class:`runtime.locator.Locator`."""
        search, times = self._chain.run(self._target, frame, square, fill, last_size)
        return Located(search.found(), times)


def open_targets(
    engines: Path,
    card: ModelCard,
    manifest: Manifest,
    count: int = 1,
    *,
    decode: bool = True,
    graphs: bool = True,
    mapped: Optional[bool] = None,
) -> List[Union[TensorrtMatcher, TensorrtLocator]]:
    """Open engines for *count* targets: one copy where the kernels are inputs, else one a target.

    Args:
        engines: see :class:`runtime.tensorrt.chain.Chain`, likewise the others.
        card: of the model.
        manifest: of the build.
        count: of targets.
        decode: see there.
        graphs: see there.
        mapped: see there.

    Raises:
        PipelineError: as there.
    """

    def chain() -> Chain:
        return Chain(engines, card, manifest, decode=decode, graphs=graphs, mapped=mapped)

    kind = TensorrtLocator if decode else TensorrtMatcher
    if card.kernel_inputs:
        shared = chain()
        return [kind(shared) for _ in range(count)]
    if count > 1:
        log.info("%d targets take %d copies of the engines; exported with --kernel-inputs they share one", count, count)
    return [kind(chain()) for _ in range(count)]
