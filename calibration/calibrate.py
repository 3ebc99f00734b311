"""One calibration folder from one ONNX folder and a folder of frames: plan, cut, observe, write."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from calibration.crops import CROPS_NAME, HISTOGRAMS_NAME, Samples
from calibration.methods import draw
from calibration.observe import Observer, observe
from calibration.plan import Request, fingerprint, plan
from siamtrt import Manifest, ModelCard, UsageError
from siamtrt import card as model_card
from siamtrt import manifest as manifests
from siamtrt import ranges as range_files
from siamtrt.environment import describe
from siamtrt.files import sha256, write_bytes
from siamtrt.libraries import calibration_cache

CACHE_TENSORRT = "8.5.2"  # of JetPack 5.1; the builder writes the header anew for another version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A calibration whose crops are cut.

    Attributes:
        request: what was asked for.
        out: the calibration folder.
        card: of the model.
        onnx: graph -> digest of its file.
        samples: the crops.
        observers: graph -> what counts its values.
    """

    request: Request
    out: Path
    card: ModelCard
    onnx: dict[str, str]
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

    Raises:
        UsageError: too few frames, frames of one colour, or *out* is among the frames.
        ArtifactError: graphs, frames or annotations are damaged.
        InferenceError: an activation is NaN or infinite, or an output is zero throughout.
    """
    job = prepare(request, out)
    observe(job.observers, job.samples, job.card, job.onnx)
    return write(job, [HISTOGRAMS_NAME], ",".join(f"{role}={way}" for role, way in request.methods.items()), command)


def prepare(request: Request, out: Path) -> Job:
    """Cut the crops of a request, or take those of an earlier run, and open the graphs; see :func:`calibrate`."""
    if request.frames.resolve() in (out.resolve(), *out.resolve().parents):
        raise UsageError(f"{out} lies in the frames it is made from", hint="--out build/MODEL/calibration")
    Manifest.load(request.onnx, stage="export")
    card = ModelCard.load(request.onnx)
    paths = {graph: request.onnx / f"{graph.name}.onnx" for graph in card.graphs}
    onnx = {graph.name: sha256(path) for graph, path in paths.items()}
    key = {
        "frames": str(request.frames.resolve()),
        "frames_sha256": fingerprint(request.frames),
        "crops": request.crops,
        "seed": request.seed,
        "onnx": onnx,
    }
    samples = Samples(out, key, card)
    if samples.entries:
        log.info("took the %d crops of an earlier run", len(samples.entries))
    else:
        samples.cut(plan(request, card))
    observers = {
        graph.name: Observer(path, graph, card.refitted(graph.name), threads=request.threads)
        for graph, path in paths.items()
    }
    return Job(request, out, card, onnx, samples, observers)


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
    request, out = job.request, job.out
    ranges = {
        graph.name: draw(job.observers[graph.name].histograms, request.methods[graph.role], graph, job.onnx[graph.name])
        for graph in job.card.graphs
    }
    (out / manifests.FILE_NAME).unlink(missing_ok=True)
    names = [CROPS_NAME, *job.samples.settle(), *names]
    for graph, table in ranges.items():
        table.save(out / range_files.file_name(graph))
        amax = {name: tensor.amax for name, tensor in table.tensors.items()}
        write_bytes(out / calibration_cache.file_name(graph), calibration_cache.serialize(amax, CACHE_TENSORRT))
        names += [range_files.file_name(graph), calibration_cache.file_name(graph)]
    manifest = Manifest.of(
        out,
        names,
        stage="calibration",
        command=command,
        parents=[request.onnx / name for name in (model_card.FILE_NAME, *(f"{graph}.onnx" for graph in ranges))],
        settings={
            "calibration_sources": job.samples.sources(),
            "crops": request.crops,
            "seed": request.seed,
            "method": method,
        },
        environment=describe(),
    )
    manifest.save(out)
    return manifest
