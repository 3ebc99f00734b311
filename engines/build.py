"""One engine folder from one ONNX folder: each graph once, resumed where an earlier run stopped."""

from __future__ import annotations

import json
import logging
import shutil
import time
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from engines.int8_inputs import int8_inputs
from engines.job import GraphJob
from engines.onnxruntime import builder as onnx_runtime
from engines.tensorrt import flags as tensorrt_flags
from engines.tensorrt import typed as tensorrt_typed
from engines.tensorrt.options import OUR_RANGES, TensorrtOptions
from siamtrt import GraphPrecisions, Manifest, ModelCard, UsageError
from siamtrt import card as model_card
from siamtrt import manifest as manifests
from siamtrt.environment import describe
from siamtrt.files import read_json, sha256, whole_file, write_text

BACKENDS = ("onnxruntime", "tensorrt", "typed")
_OPTIONS = {
    "onnxruntime": (),
    "tensorrt": ("workspace_mib", "detailed", "timing_cache", "calibrator"),
    "typed": ("workspace_mib", "detailed", "compute_capabilities"),
}
_OTHER_FLAGS = {"compute_capabilities": "--compute-capability"}  # given once for each
_CORRECTION_SAMPLES = 16
_PROGRESS_NAME = "manifest.partial.json"


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Backend:
    """How one backend makes engines, and what they are bound to beside the machine."""

    build_graph: Callable[[GraphJob], None]
    suffix: str
    settings: Dict[str, Any]
    environment: Dict[str, str]
    refits: bool = False


def build(
    onnx: Path,
    out: Path,
    backend: str,
    precisions: GraphPrecisions,
    command: str,
    tensorrt: Optional[TensorrtOptions] = None,
    *,
    ranges: Optional[Path] = None,
    keep: Sequence[str] = (),
    correction_samples: Optional[int] = None,
) -> Manifest:
    """Turn every graph of the folder *onnx* into an engine in the folder *out*.

    Args:
        onnx: written by the export stage.
        out: becomes self-contained: the engines, a copy of the model card, and the manifest, written last.
        backend: one of ``BACKENDS``.
        precisions: one for each graph.
        command: recorded in the manifest as the way to build it again.
        tensorrt: settings of the backends ``tensorrt`` and ``typed``; the defaults when None.
        ranges: the calibration folder; INT8 needs one.
        keep: layers that INT8 leaves in floating point, ``LAYER`` or ``GRAPH:LAYER``.
        correction_samples: how many crops INT8 for ``onnxruntime`` corrects its biases on; 16 when None, 0 for none.

    Returns:
        The manifest of *out*.

    Raises:
        UsageError: unknown backend, a precision it cannot realise, INT8 without ranges, or an unknown layer to keep.
        ArtifactError: the ONNX or calibration folder is unfinished or changed, or *out* cannot be written.
        BuildError: a backend refused a graph.
        MissingDependencyError: the backend is not installed.
    """
    if out.resolve() == onnx.resolve():
        raise UsageError(f"{out} holds the graphs; engines there would overwrite them", hint="choose another --out")
    Manifest.load(onnx, stage="export")
    card = ModelCard.load(onnx)
    way = _backend(backend, tensorrt or TensorrtOptions())
    if backend == "typed":
        tensorrt_typed.require_nothing_to_refit(card)
    _require_use(tensorrt or TensorrtOptions(), backend, ranges)
    samples = _correction_samples(correction_samples, backend, precisions)
    int8 = int8_inputs(onnx, card, precisions, ranges, keep, samples)
    settings = {"backend": backend, "precision": str(precisions), **way.settings, **int8.settings}
    measured = {"ranges": {path.name: sha256(path) for path in int8.parents}}
    progress = _Progress(out, {**settings, **way.environment, **measured})
    parents = [onnx / model_card.FILE_NAME, *(onnx / f"{graph.name}.onnx" for graph in card.graphs), *int8.parents]
    jobs = [int8.complete(job) for job in _jobs(onnx, out, card, precisions, way.suffix)]
    for job in jobs:
        _build_once(job, way, progress)
    card.save(out)
    references = _references(onnx, out, card) if way.refits else []
    manifest = Manifest.of(
        out,
        [model_card.FILE_NAME, *(job.out.name for job in jobs), *references],
        stage="engines",
        command=command,
        parents=parents,
        settings=settings,
        environment={**describe(), **way.environment},
    )
    manifest.save(out)
    progress.finish()
    return manifest


def _jobs(onnx: Path, out: Path, card: ModelCard, precisions: GraphPrecisions, suffix: str) -> List[GraphJob]:
    return [
        GraphJob(
            source=onnx / f"{graph.name}.onnx",
            graph=graph.name,
            precision=precisions.of(graph),
            out=out / f"{graph.name}{suffix}",
            refit=card.refitted(graph.name),
        )
        for graph in card.graphs
    ]


def _build_once(job: GraphJob, way: _Backend, progress: _Progress) -> None:
    """Build one engine, unless an earlier run has."""
    if progress.has(job.out, job.source):
        log.info("kept %s, finished by an earlier run", job.out)
        return
    started_ns = time.perf_counter_ns()
    way.build_graph(job)
    progress.add(job.out, job.source)
    seconds = (time.perf_counter_ns() - started_ns) / 1e9
    log.info("built %s in %s, %.1f MB, %.1f s", job.out, job.precision.value, _megabytes(job.out), seconds)


def _backend(name: str, options: TensorrtOptions) -> _Backend:
    settings: Dict[str, Any] = {"workspace_mib": options.workspace_mib, "detailed": options.detailed}
    if name == "onnxruntime":
        return _Backend(onnx_runtime.build_graph, onnx_runtime.SUFFIX, {}, {})
    if name == "tensorrt":
        settings["calibrator"] = options.calibrator
        flags = partial(tensorrt_flags.build_graph, options=options)
        return _Backend(flags, tensorrt_flags.SUFFIX, settings, tensorrt_flags.environment(), refits=True)
    if name == "typed":
        settings["compute_capabilities"] = list(options.compute_capabilities)
        typed = partial(tensorrt_typed.build_graph, options=options)
        return _Backend(typed, tensorrt_typed.SUFFIX, settings, tensorrt_typed.environment())
    raise UsageError(f"unknown backend {name!r}", hint=f"one of {', '.join(BACKENDS)}")


def _require_use(options: TensorrtOptions, backend: str, ranges: Optional[Path]) -> None:
    if options.calibrator != OUR_RANGES and (backend != "tensorrt" or ranges is None):
        raise UsageError(
            f"--calibrator {options.calibrator} is of use only to --backend tensorrt with --ranges", hint="leave it out"
        )
    for option in fields(options):
        if getattr(options, option.name) != option.default and option.name not in _OPTIONS[backend]:
            flag = _OTHER_FLAGS.get(option.name, f"--{option.name.replace('_', '-')}")
            raise UsageError(f"{flag} is of no use to --backend {backend}", hint="leave it out")


def _correction_samples(wish: Optional[int], backend: str, precisions: GraphPrecisions) -> Optional[int]:
    """How many crops to correct biases on, None where biases are not corrected."""
    if backend == "onnxruntime" and precisions.int8_roles:
        return _CORRECTION_SAMPLES if wish is None else wish
    if wish is not None:
        raise UsageError("biases are corrected in INT8 for onnxruntime only", hint="leave out --correction-samples")
    return None


def _references(onnx: Path, out: Path, card: ModelCard) -> List[str]:
    """Put the xcorr graphs beside their plans: the runtime proves each refit against them."""
    names = [f"{graph.name}.onnx" for graph in card.graphs if card.refitted(graph.name)]
    for name in names:
        with whole_file(out / name) as temporary:
            shutil.copyfile(onnx / name, temporary)
    return names


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


class _Progress:
    """Which engines of a folder an unfinished run has left, valid for the same settings and machine only."""

    def __init__(self, out: Path, settings: Dict[str, Any]) -> None:
        self._path = out / _PROGRESS_NAME
        self._key = {"settings": settings, "packages": describe()["packages"]}
        self._built: Dict[str, Dict[str, str]] = {}
        self._manifest = out / manifests.FILE_NAME
        if self._path.is_file():
            left = read_json(self._path)
            if left.get("key") == self._key:
                self._built = left["built"]

    def has(self, target: Path, source: Path) -> bool:
        """Whether *target* is whole and was built from *source* as it is now."""
        entry = self._built.get(target.name)
        return bool(entry) and target.is_file() and entry == _digests(target, source)

    def add(self, target: Path, source: Path) -> None:
        """Record *target* as finished; from now on *out* is no finished folder until its new manifest is written."""
        self._manifest.unlink(missing_ok=True)
        self._built[target.name] = _digests(target, source)
        write_text(self._path, json.dumps({"key": self._key, "built": self._built}, indent=2))

    def finish(self) -> None:
        """Forget the record, since the manifest has taken its place."""
        self._path.unlink()


def _digests(target: Path, source: Path) -> Dict[str, str]:
    return {"engine": sha256(target), "onnx": sha256(source)}
