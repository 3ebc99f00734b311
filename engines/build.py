"""One engine folder from one ONNX folder: each graph once, resumed where an earlier run stopped."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Mapping, Protocol, Sequence

from engines import own_process
from engines.batch import for_targets
from engines.graph import GraphJob
from engines.int8 import Int8Inputs, Int8Options, int8_inputs
from engines.onnxruntime import builder as onnxruntime
from engines.tensorrt import builder as tensorrt
from engines.tensorrt import typed
from engines.tensorrt.building import FLOAT32, OUR_RANGES, TensorrtOptions
from siamtrt import GraphPrecisions, Manifest, ModelCard, UsageError, claim
from siamtrt import card as model_card
from siamtrt import manifest as manifests
from siamtrt.environment import describe
from siamtrt.files import sha256, whole_file
from siamtrt.libraries import tensorrt as library

_OTHER_FLAGS = {"compute_capabilities": "--compute-capability"}  # given once for each
_RECORD = "manifest.partial.json"

log = logging.getLogger(__name__)


class Backend(Protocol):
    """A way to make engines: a module of one of the wings.

    Attributes:
        SUFFIX: suffix of an engine file.
        OWN_PROCESS: each graph is built in a process of its own.
        OPTIONS: the fields of :class:`TensorrtOptions` that mean something to it.
    """

    SUFFIX: str
    OWN_PROCESS: bool
    OPTIONS: tuple[str, ...]

    def build_graph(self, __job: GraphJob, __options: TensorrtOptions) -> None:
        """Write the engine of one graph."""

    def environment(self) -> dict[str, str]:
        """What an engine is bound to beside the machine."""

    def references(self, __card: ModelCard) -> list[str]:
        """The exported graphs that have to lie beside the engines; raises where it cannot serve the model."""


_BACKENDS: Mapping[str, Backend] = {"onnxruntime": onnxruntime, "tensorrt": tensorrt, "typed": typed}
BACKENDS = tuple(_BACKENDS)


@dataclass(frozen=True)
class BuildRequest:
    """The engines that somebody wants.

    Attributes:
        onnx: folder written by the export stage.
        out: becomes self-contained: the engines, a copy of the model card, and the manifest, written last.
        backend: one of ``BACKENDS``.
        precisions: what the graphs shall compute in.
        command: recorded in the manifest as the way to build it again.
        tensorrt: settings of the backends ``tensorrt`` and ``typed``.
        int8: what INT8 takes.
        targets: how many targets a run of the engines serves.
    """

    onnx: Path
    out: Path
    backend: str
    precisions: GraphPrecisions
    command: str
    tensorrt: TensorrtOptions = field(default_factory=TensorrtOptions)
    int8: Int8Options = field(default_factory=Int8Options)
    targets: int = 1


def build(request: BuildRequest) -> Manifest:
    """Turn every graph of the folder ``request.onnx`` into an engine in ``request.out``.

    Returns:
        The manifest of the engines.

    Raises:
        UsageError: unknown backend, a precision it cannot realise, an option of another backend, INT8 without ranges,
            an unknown layer to leave in floating point, or several targets for kernels that are weights.
        ArtifactError: the ONNX or calibration folder is unfinished or changed, or ``out`` cannot be written.
        BuildError: a backend refused a graph.
        MissingDependencyError: the backend is not installed.
    """
    onnx, out = request.onnx, request.out
    if out.resolve() == onnx.resolve():
        raise UsageError(f"{out} holds the graphs; engines there would overwrite them", hint="choose another --out")
    Manifest.load(onnx, stage="export")
    card = ModelCard.load(onnx)
    backend = _backend(request)
    if card.search.has_exits and request.tensorrt.features != FLOAT32:
        raise UsageError(
            f"{card.name} was exported with exits, whose stages hand on float32", hint="leave --features out"
        )
    wide_card = for_targets(card, request.targets)
    environment, references = backend.environment(), backend.references(card)
    int8 = int8_inputs(onnx, card, request.precisions, request.int8)
    settings = {
        "backend": request.backend,
        "precision": str(request.precisions),
        **({"targets": request.targets} if request.targets > 1 else {}),
        **_recorded(request.tensorrt, backend.OPTIONS),
        **int8.settings,
    }
    ranges = {path.name: sha256(path) for path in int8.parents}
    _require_graphs(card, request.tensorrt)
    key = {"settings": {**settings, **environment, "ranges": ranges}, "packages": describe()["packages"]}
    jobs = _jobs(request.onnx, request.out, card, request.precisions, int8, backend.SUFFIX, request.targets)
    _build_unfinished(jobs, backend, request.tensorrt, out / _RECORD, key)
    wide_card.save(out)
    for name in references:
        with whole_file(out / name) as temporary:
            shutil.copyfile(onnx / name, temporary)
    manifest = Manifest.of(
        out,
        [model_card.FILE_NAME, *(job.out.name for job in jobs), *references],
        stage="engines",
        command=request.command,
        parents=[onnx / model_card.FILE_NAME, *(job.source for job in jobs), *int8.parents],
        settings=settings,
        environment={**describe(), **environment},
    )
    manifest.save(out)
    (out / _RECORD).unlink()  # the manifest has taken its place
    return manifest


def _backend(request: BuildRequest) -> Backend:
    """The backend of *request*, all of whose options it takes.

    Raises:
        UsageError: there is no such backend, or an option is of no use to it.
    """
    backend, options = _BACKENDS.get(request.backend), request.tensorrt
    if backend is None:
        raise UsageError(f"unknown backend {request.backend!r}", hint=f"one of {', '.join(BACKENDS)}")
    if options.calibrator != OUR_RANGES and ("calibrator" not in backend.OPTIONS or request.int8.ranges is None):
        raise UsageError(
            f"--calibrator {options.calibrator} is of use only to --backend tensorrt with --ranges", hint="leave it out"
        )
    for option in fields(options):
        if getattr(options, option.name) != option.default and option.name not in backend.OPTIONS:
            flag = _OTHER_FLAGS.get(option.name, f"--{option.name.replace('_', '-')}")
            raise UsageError(f"{flag} is of no use to --backend {request.backend}", hint="leave it out")
    return backend


def _require_graphs(card: ModelCard, options: TensorrtOptions) -> None:
    """Prove that the model has the graphs that are named for a DLA.

    Raises:
        UsageError: it has not.
    """
    names = [graph.name for graph in card.graphs]
    unknown = sorted(set(library.dla_cores(options.dla)) - set(names))
    if unknown:
        raise UsageError(f"--dla names {', '.join(unknown)}, {card.name} has {', '.join(names)}", hint="--dla search=0")


def _recorded(options: TensorrtOptions, names: Sequence[str]) -> dict[str, Any]:
    """The options *names* for a manifest, without the timing cache, which only saves time."""
    values = {name: getattr(options, name) for name in names if name != "timing_cache"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def int8_jobs(onnx: Path, precisions: GraphPrecisions, wish: Int8Options) -> list[GraphJob]:
    """What a build would be given, for work that can be done before it, on another machine.

    Raises:
        UsageError: see :func:`engines.int8.int8_inputs`.
        ArtifactError: a folder is unfinished or changed.
    """
    Manifest.load(onnx, stage="export")
    card = ModelCard.load(onnx)
    return _jobs(onnx, onnx, card, precisions, int8_inputs(onnx, card, precisions, wish), "")


def _jobs(
    onnx: Path, out: Path, card: ModelCard, precisions: GraphPrecisions, int8: Int8Inputs, suffix: str, targets: int = 1
) -> list[GraphJob]:
    return [
        GraphJob(
            source=onnx / f"{graph.name}.onnx",
            graph=graph,
            precision=precisions.of(graph),
            out=out / f"{graph.name}{suffix}",
            refit=card.refitted(graph.name),
            features=card.features(graph.name),
            kernels=card.kernel_names if card.kernel_inputs else (),
            targets=1 if graph.role == model_card.TARGET else targets,
            int8=int8.by_graph.get(graph.name),
            scores=card.scores_of(graph.name),
        )
        for graph in card.graphs
    ]


def _build_unfinished(
    jobs: Sequence[GraphJob], backend: Backend, options: TensorrtOptions, record: Path, key: Mapping[str, Any]
) -> None:
    """Build the engines that *record* does not name as finished for *key*, from the graphs as they are now."""
    finished = claim.finished(record, key)
    for job in jobs:
        if job.out.is_file() and finished.get(job.out.name) == _digests(job):
            log.info("kept %s, finished by an earlier run", job.out)
            continue
        started_ns = time.perf_counter_ns()
        if backend.OWN_PROCESS:
            own_process.run(backend.build_graph, job, options)
        else:
            backend.build_graph(job, options)
        record.with_name(manifests.FILE_NAME).unlink(missing_ok=True)  # no finished folder until the new one is written
        finished[job.out.name] = _digests(job)
        claim.save(record, key, finished)
        seconds, megabytes = (time.perf_counter_ns() - started_ns) / 1e9, job.out.stat().st_size / 1e6
        log.info("built %s in %s, %.1f MB, %.1f s", job.out, job.precision.value, megabytes, seconds)


def _digests(job: GraphJob) -> dict[str, str]:
    return {"engine": sha256(job.out), "onnx": sha256(job.source)}
