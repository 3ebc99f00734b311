"""Open engines for ONNX Runtime: the box is chosen on the host."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from runtime.cascade import CascadeLocator, require_exits
from runtime.locator import HostLocator, Locator
from runtime.onnxruntime.batch import OnnxBatch
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.open_engines import Opening
from runtime.policies.parse import parse
from runtime.together import Beside, in_batches
from siamtrt import UsageError
from siamtrt.environment import cores

log = logging.getLogger(__name__)


def open_locators(opening: Opening) -> list[Locator]:
    """Open the engines once a target.

    Targets that are opened together share the threads: a target on each scales where two threads on one target hardly
    do, so they run beside each other, as many at a time as there are threads for (``studies.target_batch``). A policy
    may look at the time that a stage took, so such targets run in turn.

    Raises:
        UsageError: the GPU is to choose the box or to be waited for, or the policy is not one of this model.
        ArtifactError: a graph is truncated, or does not have the tensors its card names.
    """
    if opening.decode == "device":
        raise UsageError("ONNX Runtime decodes on the host", hint="leave --decode out")
    if opening.wait is not None:
        raise UsageError("ONNX Runtime has no GPU to wait for", hint="leave --wait out")
    log.info("ONNX Runtime on the CPU, threads: %d", opening.threads or cores())
    if opening.policy is not None:
        require_exits(opening.card)
    if opening.card.targets > 1:
        return in_batches(lambda: OnnxBatch(opening.engines, opening.card, threads=opening.threads), opening.count)
    if opening.policy is None:
        return _beside_each_other(opening)
    matchers = [OnnxMatcher(opening.engines, opening.card, threads=opening.threads) for _ in range(opening.count)]
    decisions = [parse(opening.policy, opening.card, opening.manifest.files) for _ in range(opening.count)]
    return [
        CascadeLocator(matcher, decision.policy, audit_every=decision.audit_every)
        for matcher, decision in zip(matchers, decisions)
    ]


def _beside_each_other(opening: Opening) -> list[Locator]:
    threads = opening.threads or cores()
    each = max(1, threads // opening.count)
    matchers = [OnnxMatcher(opening.engines, opening.card, threads=each) for _ in range(opening.count)]
    locators: list[Locator] = [HostLocator(matcher) for matcher in matchers]
    if opening.count == 1 or threads == 1:
        return locators
    pool = ThreadPoolExecutor(min(opening.count, threads // each), "target")  # ends when the last locator is gone
    return [Beside(locator, pool) for locator in locators]
