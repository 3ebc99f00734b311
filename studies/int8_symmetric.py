"""What INT8 costs on TensorRT: its symmetric form on the CPU, with biases as they are and corrected.

``python -m studies.int8_symmetric ONNX CALIBRATION CLIP...`` prints the signal to noise of the maps with one graph in
INT8, and the mean overlap of the boxes with those of FP32 on each clip with the search graph in INT8, the others float.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from benchmarks.evaluation.drift import drift
from engines.build import int8_jobs
from engines.graph import GraphJob
from engines.int8 import Int8Options
from engines.sensitivity.graphs_in_turn import GraphsInTurn, noise
from engines.sensitivity.ranking import decibel
from engines.tensorrt.biases import symmetric_form, with_corrected_biases
from runtime.locator import HostLocator
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from sequences.layouts import open_sequences
from siamtrt import Array, GraphPrecisions, ModelCard

_SAMPLES = 24


def main(folder: Path, calibration: Path, clips: list[Path]) -> None:
    """Print both measurements."""
    graphs = GraphsInTurn(folder, calibration, _SAMPLES)
    jobs = int8_jobs(folder, GraphPrecisions.parse("int8-all"), Int8Options(calibration))
    crops = [job for job in jobs if job.graph.name in graphs.models and graphs.card.crop_of(job.graph.name)]
    forms = {job.graph.name: _forms(graphs.models[job.graph.name], job) for job in crops}
    for name, models in forms.items():
        figures = [decibel(noise(graphs.maps, graphs.variant(name, model))[0]) for model in models.values()]
        print(f"{name:8} " + ", ".join(f"{way} {figure:.1f} dB" for way, figure in zip(models, figures)))  # noqa: T201
    for clip in clips:
        reference = _boxes(folder, {}, clip)
        for way, model in forms["search"].items():
            overlap = drift(_boxes(folder, {"search": model}, clip), reference).mean_overlap
            print(f"{clip.name:8} {way}: overlap with FP32 {overlap:.3f}")  # noqa: T201


def _forms(model: onnx.ModelProto, job: GraphJob) -> dict[str, onnx.ModelProto]:
    """The graph in symmetric INT8, with each kind of biases."""
    if job.int8 is None:
        raise ValueError(f"{job.graph.name} is not to be built in INT8")
    ways = {"as they are": model, "corrected": with_corrected_biases(model, job, job.int8)}
    return {way: symmetric_form(form, job.int8, ()) for way, form in ways.items()}


def _boxes(folder: Path, others: dict[str, onnx.ModelProto], clip: Path) -> Array:
    """Nx4 boxes of a run over a clip, with some graphs replaced."""
    (sequence,) = open_sequences(clip)
    with tempfile.TemporaryDirectory() as scratch:
        engines = Path(scratch)
        for path in folder.glob("*.onnx"):
            shutil.copyfile(path, engines / path.name)
        for name, model in others.items():
            onnx.save(model, str(engines / f"{name}.onnx"))
        with Tracker(HostLocator(OnnxMatcher(engines, ModelCard.load(folder)))) as tracker:
            boxes = [tracker.start(sequence.frame(0), sequence.start_box(0)).box]
            boxes += [tracker.update(sequence.frame(index)).box for index in range(1, len(sequence))]
    return np.array([(box.x, box.y, box.width, box.height) for box in boxes])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(clip) for clip in sys.argv[3:]])
