"""Open engines for TensorRT: the box is chosen on the GPU, or on the host where that is asked for."""

from __future__ import annotations

import logging
from pathlib import Path

from runtime.cascade import CascadeLocator, require_exits
from runtime.frames import Frame
from runtime.locator import HostLocator, Located, Locator
from runtime.matcher import Color
from runtime.open_engines import Opening
from runtime.policies.parse import parse
from runtime.tensorrt.batch import TensorrtBatch
from runtime.tensorrt.chain import Chain, ChainOptions
from runtime.tensorrt.matcher import StagedTensorrtMatcher, TargetOnChain, TensorrtMatcher
from runtime.together import Asked, in_batches
from siamtrt import Manifest, ModelCard
from siamtrt.geometry import Square

log = logging.getLogger(__name__)


class TensorrtLocator(TargetOnChain):
    """A :class:`runtime.locator.Locator` on a chain with decode: 28 bytes come back a frame."""

    def locate(self, frame: Frame, square: Square, fill: Color, last_size: tuple[float, float]) -> Located:
        stage, times = self._chain.run(frame, [(self._target, Asked(square, fill, last_size))])
        return Located(stage.box(self._target.place), times)


def open_locators(opening: Opening) -> list[Locator]:
    """Open the engines for the targets of *opening*, see :func:`open_targets`.

    Raises:
        UsageError: the policy is not one of this model.
    """
    options = ChainOptions(decode=opening.decode != "host", wait=opening.wait)
    if opening.policy is not None:
        require_exits(opening.card)
        decisions = [parse(opening.policy, opening.card, opening.manifest.files) for _ in range(opening.count)]
        chains = _chains(opening.engines, opening.card, opening.manifest, opening.count, options)
        return [
            CascadeLocator(StagedTensorrtMatcher(chain), decision.policy, audit_every=decision.audit_every)
            for chain, decision in zip(chains, decisions)
        ]
    return open_targets(opening.engines, opening.card, opening.manifest, opening.count, options)


def open_targets(
    engines: Path, card: ModelCard, manifest: Manifest, count: int = 1, options: ChainOptions | None = None
) -> list[Locator]:
    """Open engines for *count* targets, see :class:`Chain`.

    Those that serve several targets in a run are opened once for so many; those whose kernels are inputs once; others
    once a target.
    """
    options = options or ChainOptions()
    if card.targets > 1:
        return in_batches(lambda: TensorrtBatch(Chain(engines, card, manifest, options), decode=options.decode), count)
    chains = _chains(engines, card, manifest, count, options)
    if options.decode:
        return [TensorrtLocator(chain) for chain in chains]
    return [HostLocator(TensorrtMatcher(chain)) for chain in chains]


def _chains(engines: Path, card: ModelCard, manifest: Manifest, count: int, options: ChainOptions) -> list[Chain]:
    """A chain for each target; one for all where the kernels are inputs."""
    if count > 1 and not card.kernel_inputs:
        log.info("%d targets take %d copies of the engines; exported with --kernel-inputs they share one", count, count)
    copies = 1 if card.kernel_inputs else count
    return [Chain(engines, card, manifest, options) for _ in range(copies)] * (count // copies)
