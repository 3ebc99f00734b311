"""An engine folder to what the tracker talks to."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Union

from runtime.locator import Locator
from runtime.matcher import Matcher
from siamtrt import ArtifactError, Manifest, ModelCard, UsageError

Backend = Union[Matcher, Locator]
DECODES = ("host", "device")


def open_matcher(engines: Path, *, threads: Optional[int] = None, decode: Optional[str] = None) -> Backend:
    """Open the engines of a folder, for one target, on the backend they were built for; see :func:`open_matchers`."""
    return open_matchers(engines, 1, threads=threads, decode=decode)[0]


def open_matchers(
    engines: Path, count: int, *, threads: Optional[int] = None, decode: Optional[str] = None
) -> List[Backend]:
    """Open the engines of a folder for several targets, on the backend they were built for.

    Args:
        engines: written by ``python -m engines``.
        count: of targets; they share the engines where the backend can.
        threads: of the CPU backend; all cores when None.
        decode: where the box is chosen, one of ``DECODES``; the backend's own place when None: the GPU on TensorRT.

    Raises:
        ArtifactError: the folder is unfinished, changed, or of an unknown backend.
        MissingDependencyError: the backend is not installed.
        UsageError: the backend has no such decode.
    """
    manifest = Manifest.load(engines, stage="engines")
    card = ModelCard.load(engines)
    backend = manifest.settings.get("backend")
    if decode not in (None, *DECODES):
        raise UsageError(f"unknown place to decode {decode!r}", hint=f"one of {', '.join(DECODES)}")
    if backend == "onnxruntime":
        from runtime.onnxruntime.matcher import OnnxMatcher

        if decode == "device":
            raise UsageError("ONNX Runtime decodes on the host", hint="leave --decode out")
        return [OnnxMatcher(engines, card, threads=threads) for _ in range(count)]
    if backend == "tensorrt":
        from runtime.tensorrt.matcher import open_targets

        return [*open_targets(engines, card, manifest, count, decode=decode != "host")]
    raise ArtifactError(
        f"{engines} was built for the backend {backend!r}, which this runtime cannot run",
        hint="rebuild it with --backend onnxruntime, or on the board with --backend tensorrt",
    )
