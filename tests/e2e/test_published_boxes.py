"""NanoTrackV3 and LightTrack with their real weights on real sequences, started again where published runs were."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.tracker import Tracker
from sequences.annotated import load_sequence
from siamtrt import BoundingBox, GraphPrecisions
from tests.built import build

torch = pytest.importorskip("torch", reason="exporting needs torch")

# Least mean overlap with the published boxes, FP32. The rest is JPEG decoding and CUDA arithmetic.
FLOORS = {"bag": 0.98, "ball1": 0.97, "motocross1": 0.93, "soccer1": 0.93}
# LightTrack's run does not name its constants. Those of VOT2019 come closest of the published ones; a doubt grows with
# every frame since the last start, most in motocross1.
LIGHTTRACK_FLOORS = {"bag": 0.98, "ball1": 0.96, "motocross1": 0.83, "soccer1": 0.91}
FP16_ALLOWANCE = 0.01


@pytest.fixture(scope="module")
def engines(reference_data, tmp_path_factory):
    checkpoint = reference_data / "weights" / "nanotrackv3" / "nanotrackv3.pth"
    return built(tmp_path_factory.mktemp("nanotrack"), "nanotrack_v3", checkpoint, ("fp32", "fp16"))


@pytest.fixture(scope="module")
def lighttrack_engines(reference_data, tmp_path_factory):
    checkpoint = reference_data / "weights" / "lighttrack_mobile" / "lighttrack_mobile_folded_fp16.pth"
    return built(tmp_path_factory.mktemp("lighttrack"), "lighttrack_mobile", checkpoint, ("fp32",))


def built(root, name, checkpoint, precisions):
    from export.write import write
    from networks.checkpoint import load

    write(load(name, checkpoint), name, root / "onnx", checkpoint=checkpoint, command="")
    for precision in precisions:
        build(root / "onnx", root / precision, "onnxruntime", GraphPrecisions.parse(precision), "")
    return root


def boxes_beside_published(engines, reference_data, name, results="results/NanoTrackV3"):
    folder = reference_data / "vot2018"
    sequence = load_sequence(folder / "sequences" / name)
    published = (folder / results / "baseline" / name / f"{name}_001.txt").read_text().split()
    pairs = []
    with Tracker.open(engines, threads=1) as tracker:
        for index, line in enumerate(published):
            if line == "1":
                tracker.start(sequence.frame(index), sequence.start_box(index))
            elif line not in ("0", "2"):
                pairs.append((tracker.update(sequence.frame(index)).box, BoundingBox.parse(line)))
    return pairs


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", FLOORS)
def test_boxes_are_the_published_ones(engines, reference_data, name, precision):
    pairs = boxes_beside_published(engines / precision, reference_data, name)
    allowance = FP16_ALLOWANCE if precision == "fp16" else 0.0
    assert np.mean([ours.iou(theirs) for ours, theirs in pairs]) >= FLOORS[name] - allowance
    if name == "ball1" and precision == "fp32":
        for ours, theirs in pairs[:70]:
            sides = (ours.x - theirs.x, ours.y - theirs.y, ours.width - theirs.width, ours.height - theirs.height)
            assert max(map(abs, sides)) <= 0.5


@pytest.mark.parametrize("name", LIGHTTRACK_FLOORS)
def test_lighttracks_boxes_are_near_the_published_ones(lighttrack_engines, reference_data, name):
    pairs = boxes_beside_published(lighttrack_engines / "fp32", reference_data, name, "results_lighttrack/LightTrack")
    assert np.mean([ours.iou(theirs) for ours, theirs in pairs]) >= LIGHTTRACK_FLOORS[name]
