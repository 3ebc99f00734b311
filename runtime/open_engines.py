"""Open an engine folder as the locators that trackers use."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from runtime.locator import Locator
from siamtrt import ArtifactError, Manifest, ModelCard, UsageError
from siamtrt.libraries.cuda import WAITS

DECODES = ("host", "device")
# Backend -> module whose ``open_locators`` takes an Opening; imported when such engines are opened.
_OPENERS = {
    "onnxruntime": "runtime.onnxruntime.locator",
    "tensorrt": "runtime.tensorrt.locator",
    "typed": "runtime.tensorrt.locator",
}


@dataclass(frozen=True)
class Opening:
    """What a backend is asked to open.

    Attributes:
        engines: folder written by ``python -m engines`` for this backend.
        card: of the model.
        manifest: of the folder, its digests proved.
        count: how many targets are followed; they share the engines where the backend can.
        threads: of the CPU backend; all cores when None.
        decode: where the box is chosen, one of ``DECODES``; None for the backend's own place, the GPU on TensorRT.
        wait: how the process waits for the GPU, one of ``WAITS``; None leaves it to the backend.
        policy: where a model with exits stops, see ``runtime.policies.parse.HELP``; None runs all stages.
    """

    engines: Path
    card: ModelCard
    manifest: Manifest
    count: int = 1
    threads: int | None = None
    decode: str | None = None
    wait: str | None = None
    policy: str | None = None


def open_locators(
    engines: Path,
    count: int = 1,
    *,
    threads: int | None = None,
    decode: str | None = None,
    wait: str | None = None,
    policy: str | None = None,
) -> list[Locator]:
    """Open the engines of a folder on the backend they were built for; for the arguments see :class:`Opening`.

    Raises:
        ArtifactError: the folder is unfinished, changed, or of an unknown backend.
        MissingDependencyError: the backend is not installed.
        UsageError: the backend has no such decode or way to wait, or the model no such policy.
    """
    manifest = Manifest.load(engines, stage="engines")
    card = ModelCard.load(engines)
    backend = manifest.settings.get("backend")
    if decode not in (None, *DECODES):
        raise UsageError(f"unknown place to decode {decode!r}", hint=f"one of {', '.join(DECODES)}")
    if wait not in (None, *WAITS):
        raise UsageError(f"unknown way to wait {wait!r}", hint=f"one of {', '.join(WAITS)}")
    if backend not in _OPENERS:
        raise ArtifactError(
            f"{engines} was built for the backend {backend!r}, which this runtime cannot run",
            hint="rebuild it with --backend onnxruntime, or on the board with --backend tensorrt",
        )
    opener = importlib.import_module(_OPENERS[backend])
    opening = Opening(engines, card, manifest, count, threads, decode, wait, policy)
    locators: list[Locator] = opener.open_locators(opening)
    return locators
