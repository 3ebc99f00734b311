"""One calibration folder from one ONNX folder and a folder of frames: plan, cut, observe, write."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from calibration import observe as observing
from calibration.crops import FILE_NAME as CROPS_NAME
from calibration.crops import Samples
from calibration.methods import draw, require_alive
from calibration.observe import Observer, observe
from calibration.plan import Request, fingerprint, plan
from siamtrt import Manifest, ModelCard, UsageError
from siamtrt import card as model_card
from siamtrt import manifest as manifests
from siamtrt import ranges as range_files
from siamtrt.environment import describe
from siamtrt.files import sha256, write_bytes
from siamtrt.libraries import calibration_cache
from siamtrt.ranges import Ranges

CACHE_TENSORRT = "8.5.2"  # of JetPack 5.1; the builder writes the header anew for another version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A calibration whose crops are cut.

    Attributes:
        request: what was asked for.
        out: the calibration folder.
        card: of the model.
        graphs: graph -> digest of its ONNX file.
        samples: the crops.
        observers: graph -> what counts its values; empty so far.
    """

    request: Request
    out: Path
    card: ModelCard
    graphs: dict[str, str]
    samples: Samples
    observers: dict[str, Observer]


def calibrate(request: Request, out: Path, command: str) -> Manifest:
    """Write ranges, caches and crops into *out*; the manifest last.

    A second run with the same request goes on where the first stopped; with other methods alone it measures nothing.
    Until the new calibration is complete, that of an earlier request stays as it is.

    Args:
        request: what to calibrate with.
        out: the calibration folder.
        command: recorded in the manifest as the way to make it again.

    Returns:
        The manifest of *out*.

    Raises:
        UsageError: too few frames, frames of one colour, or *out* is among the frames.
        ArtifactError: graphs, frames or annotations are damaged.
        InferenceError: an activation is NaN or infinite, or an output is zero throughout.
    """
    job = prepare(request, out)
    key = {"onnx": job.graphs, "samples": sha256(job.samples.folder / CROPS_NAME)}
    observe(job.observers, job.samples, job.card, key)
    method = ",".join(f"{role}={method}" for role, method in request.methods.items())
    return write(job, [observing.FILE_NAME], method, command)


def prepare(request: Request, out: Path) -> Job:
    """Cut the crops of a request, or take those of an earlier run, and open the graphs.

    Raises:
        UsageError: too few frames, frames of one colour, or *out* is among the frames.
        ArtifactError: graphs, frames or annotations are damaged.
    """
    if request.frames.resolve() in (out.resolve(), *out.resolve().parents):
        raise UsageError(f"{out} lies in the frames it is made from", hint="--out build/MODEL/calibration")
    Manifest.load(request.onnx, stage="export")
    card = ModelCard.load(request.onnx)
    files = {graph.name: request.onnx / f"{graph.name}.onnx" for graph in card.graphs}
    graphs = {name: sha256(path) for name, path in files.items()}
    key = {
        "frames": str(request.frames.resolve()),
        "frames_sha256": fingerprint(request.frames),
        "crops": request.crops,
        "seed": request.seed,
        "onnx": graphs,
    }
    samples = Samples(out, key, card)
    if samples.entries:
        log.info("kept the %d crops of an earlier run", len(samples.entries))
    else:
        samples.cut(plan(request, card), card)
    observers = {
        graph.name: Observer(files[graph.name], graph, card.refitted(graph.name), threads=request.threads)
        for graph in card.graphs
    }
    return Job(request, out, card, graphs, samples, observers)


def write(job: Job, names: list[str], method: str, command: str) -> Manifest:
    """Draw the ranges from what was observed, and replace the calibration in the folder of *job*.

    Args:
        job: observed.
        names: files of its folder that belong to the calibration beside ranges and crops.
        method: how the ranges came about, for the manifest.
        command: recorded as the way to make it again.

    Raises:
        InferenceError: an output is zero throughout.
    """
    ranges = {graph: _ranges(job, graph) for graph in job.graphs}
    (job.out / manifests.FILE_NAME).unlink(missing_ok=True)
    names = [CROPS_NAME, *job.samples.settle(), *names]
    for graph, table in ranges.items():
        table.save(job.out / range_files.file_name(graph))
        amax = {name: tensor.amax for name, tensor in table.tensors.items()}
        cache = calibration_cache.serialize(amax, CACHE_TENSORRT)
        write_bytes(job.out / calibration_cache.file_name(graph), cache)
        names += [range_files.file_name(graph), calibration_cache.file_name(graph)]
    manifest = Manifest.of(
        job.out,
        names,
        stage="calibration",
        command=command,
        parents=[
            job.request.onnx / name for name in (model_card.FILE_NAME, *(f"{graph}.onnx" for graph in job.graphs))
        ],
        settings={
            "calibration_sources": job.samples.sources(),
            "crops": job.request.crops,
            "seed": job.request.seed,
            "method": method,
        },
        environment=describe(),
    )
    manifest.save(job.out)
    return manifest


def _ranges(job: Job, name: str) -> Ranges:
    graph, histograms = job.card.graph(name), job.observers[name].histograms
    require_alive(histograms, {spec.name: f"{name}.onnx" for spec in graph.outputs})
    method = job.request.methods[graph.role]
    log.info("%s: ranges of %d tensors by %s", name, len(histograms), method)
    return draw(histograms, method, job.graphs[name])
