"""One calibration folder from one ONNX folder and a folder of frames: sample, measure, draw the ranges."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

from calibration import measure as measuring
from calibration.discover import find_clips, fingerprint
from calibration.measure import Observers, Present, present
from calibration.methods import draw, require_alive
from calibration.observe import Observer
from calibration.sampler import choose
from calibration.samples import Samples
from calibration.tracked import track
from siamtrt import Manifest, ModelCard, UsageError
from siamtrt import card as model_card
from siamtrt import manifest as manifests
from siamtrt import ranges as range_files
from siamtrt.card import XCORR
from siamtrt.environment import describe
from siamtrt.files import sha256, write_bytes
from siamtrt.libraries import calibration_cache

CACHE_TENSORRT = "8.5.2"  # of JetPack 5.1; the builder writes the header anew for another version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What to calibrate with.

    Attributes:
        onnx: folder written by the export stage.
        frames: folder with clips, see :mod:`calibration.clips`.
        crops: how many template and search crops.
        seed: of the choice.
        methods: target, search, xcorr -> method.
        threads: all cores when None.
    """

    onnx: Path
    frames: Path
    crops: int
    seed: int
    methods: Dict[str, str]
    threads: Optional[int] = None


def calibrate(request: Request, out: Path, command: str, show: Present = present) -> Manifest:
    """Write ranges, caches and samples into *out*; the manifest last.

    A second run with the same request goes on where the first stopped; with other methods alone it measures nothing.

    Args:
        request: what to calibrate with.
        out: the calibration folder.
        command: recorded in the manifest as the way to make it again.
        show: how samples are given to the graphs; another way than the tracker's is for studies only.

    Returns:
        The manifest of *out*.

    Raises:
        UsageError: too few frames, frames of one colour, or *out* is among the frames.
        ArtifactError: graphs, frames or annotations are damaged.
        InferenceError: an activation is NaN or infinite, or an output is zero throughout.
    """
    if request.frames.resolve() in (out.resolve(), *out.resolve().parents):
        raise UsageError(f"{out} lies in the frames it is made from", hint="--out build/MODEL/calibration")
    Manifest.load(request.onnx, stage="export")
    (out / manifests.FILE_NAME).unlink(missing_ok=True)
    card = ModelCard.load(request.onnx)
    graphs = {graph.name: sha256(request.onnx / f"{graph.name}.onnx") for graph in card.graphs}
    samples = _samples(request, card, graphs, out)
    observers = {
        graph.name: Observer(
            request.onnx / f"{graph.name}.onnx",
            graph,
            card.kernel_names if graph.role == XCORR else (),
            threads=request.threads,
        )
        for graph in card.graphs
    }
    way = {"onnx": graphs, "samples": sha256(samples.path), "shown_by": show.__module__}
    measuring.measure(observers, samples, out, way, show)
    files = _write_ranges(observers, card, graphs, request.methods, out)
    manifest = Manifest.of(
        out,
        [*files, *samples.files(), measuring.FILE_NAME],
        stage="calibration",
        command=command,
        parents=[request.onnx / name for name in (model_card.FILE_NAME, *(f"{graph}.onnx" for graph in graphs))],
        settings=_settings(request, samples, show),
        environment=describe(),
    )
    manifest.save(out)
    return manifest


def _samples(request: Request, card: ModelCard, graphs: Dict[str, str], out: Path) -> Samples:
    """Those of an earlier run with the same settings, or new ones."""
    key = {
        "frames": str(request.frames.resolve()),
        "frames_sha256": fingerprint(request.frames),
        "crops": request.crops,
        "seed": request.seed,
        "onnx": graphs,
    }
    samples = Samples(out, key)
    if samples.load():
        log.info("kept the %d samples of an earlier run", len(samples.entries))
        return samples
    clips = [
        track(clip, request.onnx, card, threads=request.threads) if clip.untracked else clip
        for clip in find_clips(request.frames, card.tracker.min_side_px)
    ]
    samples.write(choose(clips, request.crops, request.seed), card)
    return samples


def _write_ranges(
    observers: Observers, card: ModelCard, graphs: Dict[str, str], methods: Dict[str, str], out: Path
) -> List[str]:
    names = []
    for graph in card.graphs:
        histograms = observers[graph.name].histograms
        require_alive(histograms, {spec.name: f"{graph.name}.onnx" for spec in graph.outputs})
        ranges = draw(histograms, methods[graph.role], graphs[graph.name])
        ranges.save(out / range_files.file_name(graph.name))
        amax = {name: tensor.amax for name, tensor in ranges.tensors.items()}
        cache = calibration_cache.serialize(amax, CACHE_TENSORRT)
        write_bytes(out / calibration_cache.file_name(graph.name), cache)
        names += [range_files.file_name(graph.name), calibration_cache.file_name(graph.name)]
        log.info("%s: ranges of %d tensors by %s", graph.name, len(amax), methods[graph.role])
    return names


def _settings(request: Request, samples: Samples, show: Present) -> Dict[str, Any]:
    method = ",".join(f"{graph}={method}" for graph, method in request.methods.items())
    return {
        "calibration_sources": samples.sources(),
        "crops": request.crops,
        "seed": request.seed,
        "method": method if show is present else f"{method}, shown by {show.__module__}",
    }
