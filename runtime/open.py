"""An engine folder to the matcher of its backend."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from runtime.matcher import Matcher
from siamtrt import ArtifactError, Manifest, ModelCard


def open_matcher(engines: Path, *, threads: Optional[int] = None) -> Matcher:
    """Open the engines of a folder on the backend they were built for.

    Args:
        engines: written by ``python -m engines``.
        threads: of the CPU backend; all cores when None.

    Raises:
        ArtifactError: the folder is unfinished, changed, or of an unknown backend.
        MissingDependencyError: the backend is not installed.
    """
    manifest = Manifest.load(engines, stage="engines")
    card = ModelCard.load(engines)
    backend = manifest.settings.get("backend")
    if backend == "onnxruntime":
        from runtime.onnx_matcher import OnnxMatcher

        return OnnxMatcher(engines, card, threads=threads)
    if backend == "tensorrt":
        from runtime.tensorrt.matcher import TensorrtMatcher

        return TensorrtMatcher(engines, card, manifest)
    raise ArtifactError(
        f"{engines} was built for the backend {backend!r}, which this runtime cannot run",
        hint="rebuild it with --backend onnxruntime, or on the board with --backend tensorrt",
    )
