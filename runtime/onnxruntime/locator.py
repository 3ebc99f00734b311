"""Open engines for ONNX Runtime: the box is chosen on the host."""

from __future__ import annotations

import logging

from runtime.cascade import CascadeLocator, require_exits
from runtime.locator import HostLocator, Locator
from runtime.onnxruntime.batch import OnnxBatch
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.open_engines import Opening
from runtime.policies.parse import parse
from runtime.together import in_batches
from siamtrt import UsageError
from siamtrt.environment import cores

log = logging.getLogger(__name__)


def open_locators(opening: Opening) -> list[Locator]:
    """Open the engines once a target.

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
    matchers = (OnnxMatcher(opening.engines, opening.card, threads=opening.threads) for _ in range(opening.count))
    if opening.policy is None:
        return [HostLocator(matcher) for matcher in matchers]
    decisions = [parse(opening.policy, opening.card, opening.manifest.files) for _ in range(opening.count)]
    return [
        CascadeLocator(matcher, decision.policy, audit_every=decision.audit_every)
        for matcher, decision in zip(matchers, decisions)
    ]
