"""One engine folder from one ONNX folder: each graph once, resumed where an earlier run stopped."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

from engines import onnx_runtime
from engines.job import GraphJob
from siamtrt import GraphPrecisions, Manifest, ModelCard, UsageError
from siamtrt import card as model_card
from siamtrt import manifest as manifests
from siamtrt.environment import describe
from siamtrt.files import read_json, sha256, write_text

BACKENDS = ("onnxruntime",)
_PROGRESS_NAME = "manifest.partial.json"

BuildGraph = Callable[[GraphJob], None]

log = logging.getLogger(__name__)


def build(onnx: Path, out: Path, backend: str, precisions: GraphPrecisions, command: str) -> Manifest:
    """Turn every graph of the folder *onnx* into an engine in the folder *out*.

    Args:
        onnx: written by the export stage.
        out: becomes self-contained: the engines, a copy of the model card, and the manifest, written last.
        backend: one of ``BACKENDS``.
        precisions: one for each graph.
        command: recorded in the manifest as the way to build it again.

    Returns:
        The manifest of *out*.

    Raises:
        UsageError: unknown backend, or a precision it cannot realise.
        ArtifactError: the ONNX folder is unfinished or changed, or *out* cannot be written.
        BuildError: a backend refused a graph.
    """
    Manifest.load(onnx, stage="export")
    card = ModelCard.load(onnx)
    build_graph, suffix = _realisation(backend)
    settings = {"backend": backend, "precision": str(precisions)}
    progress = _Progress(out, settings)
    parents = [onnx / model_card.FILE_NAME, *(onnx / f"{graph.name}.onnx" for graph in card.graphs)]
    card.save(out)
    for graph in card.graphs:
        source, target = onnx / f"{graph.name}.onnx", out / f"{graph.name}{suffix}"
        if progress.has(target, source):
            log.info("kept %s, finished by an earlier run", target)
            continue
        started_ns = time.perf_counter_ns()
        build_graph(GraphJob(source, graph.name, precisions.of(graph.name), target))
        progress.add(target, source)
        seconds = (time.perf_counter_ns() - started_ns) / 1e9
        log.info(
            "built %s in %s, %.1f MB, %.1f s", target, precisions.of(graph.name).value, _megabytes(target), seconds
        )
    manifest = Manifest.of(
        out,
        [model_card.FILE_NAME, *(f"{graph.name}{suffix}" for graph in card.graphs)],
        stage="engines",
        command=command,
        parents=parents,
        settings=settings,
        environment=describe(),
    )
    manifest.save(out)
    progress.finish()
    return manifest


def _realisation(backend: str) -> Tuple[BuildGraph, str]:
    if backend == "onnxruntime":
        return onnx_runtime.build_graph, onnx_runtime.SUFFIX
    raise UsageError(f"unknown backend {backend!r}", hint=f"one of {', '.join(BACKENDS)}")


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


class _Progress:
    """Which engines of a folder an unfinished run has left, valid for the same settings and machine only."""

    def __init__(self, out: Path, settings: Dict[str, Any]) -> None:
        self._path = out / _PROGRESS_NAME
        self._key = {"settings": settings, "packages": describe()["packages"]}
        self._built: Dict[str, Dict[str, str]] = {}
        (out / manifests.FILE_NAME).unlink(missing_ok=True)
        if self._path.is_file():
            left = read_json(self._path)
            if left.get("key") == self._key:
                self._built = left["built"]

    def has(self, target: Path, source: Path) -> bool:
        """Whether *target* is whole and was built from *source* as it is now."""
        entry = self._built.get(target.name)
        return bool(entry) and target.is_file() and entry == _digests(target, source)

    def add(self, target: Path, source: Path) -> None:
        """Record *target* as finished."""
        self._built[target.name] = _digests(target, source)
        write_text(self._path, json.dumps({"key": self._key, "built": self._built}, indent=2))

    def finish(self) -> None:
        """Forget the record, since the manifest has taken its place."""
        self._path.unlink()


def _digests(target: Path, source: Path) -> Dict[str, str]:
    return {"engine": sha256(target), "onnx": sha256(source)}
