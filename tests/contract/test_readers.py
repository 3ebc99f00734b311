"""Every layout on disk through every consumer: calibration, training, evaluation, the demo."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import cv2
import numpy as np
import pytest

from benchmarks.reports.demo import run as demo
from calibration.crops import cut
from calibration.methods import parse
from calibration.plan import Request, plan
from sequences.annotated import load_sequence, load_sequences
from sequences.layouts import open_sequences
from sequences.rendered.command import write_clip
from siamtrt import BoundingBox, ModelCard, PipelineError
from tests.videos import box_of, picture, write_film, write_masked, write_stills, write_video

FRAMES = 6


def lines(between=",", *, corners=False):
    """A line of truth for each frame."""
    for position in range(FRAMES):
        x, y, width, height = box_of(position)
        right, bottom = x + width, y + height
        numbers = (x, y, right, y, right, bottom, x, bottom) if corners else (x, y, width, height)
        yield between.join(map(str, numbers))


def beside(images="", truth="groundtruth.txt", between=",", **form):
    """A layout of a text file beside images."""

    def write(root):
        write_video(root / "walk" / images, FRAMES)
        (root / "walk" / images / "groundtruth.txt").unlink()
        (root / "walk" / truth).write_text("\n".join(lines(between, **form)) + "\n")

    return write


def listed(root):
    beside("color")(root)
    write_video(root / "not-listed", 2)
    (root / "list.txt").write_text("walk\n")


def partly_annotated(root):
    """OTB annotates frames 300 to 770 of David."""
    write_video(root / "David" / "img", 299 + FRAMES)
    (root / "David" / "img" / "groundtruth.txt").unlink()
    (root / "David" / "groundtruth_rect.txt").write_text("\n".join(lines("\t")) + "\n")


def boxes_json(root):
    write_stills(root, {f"walk/{position}.png": box_of(position) for position in range(FRAMES)})


def video(root):
    write_film(root / "walk.avi", FRAMES)
    (root / "walk.txt").write_text("\n".join(lines()))


def pysot_json(root):
    write_video(root / "VOT" / "walk" / "color", FRAMES)
    (root / "VOT" / "walk" / "color" / "groundtruth.txt").unlink()
    names = [f"walk/color/{position:03d}.png" for position in range(FRAMES)]
    entry = {"video_dir": "walk", "img_names": names, "gt_rect": [box_of(position) for position in range(FRAMES)]}
    (root / "VOT" / "VOT.json").write_text(json.dumps({"walk": entry}))


@dataclass(frozen=True)
class Layout:
    """How a sequence of six frames is written below a folder, and how exactly it comes back."""

    write: Callable[[Path], None]
    corners: bool = False
    lossless: bool = True


LAYOUTS = {
    "VOT": Layout(beside("color")),
    "VOT with list.txt": Layout(listed),
    "VOT with corners": Layout(beside("color", corners=True), corners=True),
    "OTB": Layout(beside("img", "groundtruth_rect.txt", "\t")),
    "OTB, annotated in part": Layout(partly_annotated, lossless=False),
    "OTB, one of several objects": Layout(beside("img", "groundtruth_rect.1.txt")),
    "LaSOT": Layout(beside("img")),
    "GOT-10k": Layout(beside()),
    "UAV123, commas and spaces": Layout(beside(between=", ")),
    "spaces": Layout(beside("color", between=" ")),
    "tabs and corners": Layout(beside(between="\t", corners=True), corners=True),
    "rect beside images": Layout(beside(truth="groundtruth_rect.txt")),
    "masks": Layout(lambda root: write_masked(root / "walk", FRAMES), lossless=False),
    "boxes.json": Layout(boxes_json),
    "video file": Layout(video, lossless=False),
    "PySOT's JSON": Layout(pysot_json),
    "rendered clip": Layout(lambda root: write_clip(root / "clip", seed=1, count=FRAMES), lossless=False),
}


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request):
    return LAYOUTS[request.param]


@pytest.fixture(scope="module")
def root(layout, tmp_path_factory):
    """A folder with one sequence in that layout; do not write to it."""
    folder = tmp_path_factory.mktemp("layout") / "frames"
    folder.mkdir()
    layout.write(folder)
    return folder


def test_the_reader_gives_frames_and_boxes(layout, root):
    (sequence,) = open_sequences(root)
    boxes = dict(sequence.boxes())
    assert len(sequence) == len(boxes) == FRAMES
    assert len({image.name for image in sequence.images}) == FRAMES
    assert sequence.frame(FRAMES - 1).dtype == np.uint8
    if layout.lossless:
        np.testing.assert_array_equal(sequence.frame(3), picture(3))
    expected = BoundingBox(*box_of(3))
    if layout.corners:
        assert boxes[3].center == pytest.approx(expected.center, abs=1)
    elif sequence.name != "clip":
        assert boxes[3] == expected


def test_calibration_finds_crops(root, tiny_onnx):
    card = ModelCard.load(tiny_onnx)
    request = Request(tiny_onnx, root, FRAMES, 0, parse("minmax"), threads=1)
    crops = dict(cut(plan(request, card), card))
    assert sorted(crops) == list(range(FRAMES))
    assert crops[0].searches["search"].shape == (255, 255, 3)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="training runs on the workstation's Python")
def test_training_draws_a_pair(root):
    from training.sources import Images, Videos

    sources = Videos(root, skip=(), only=None, frame_gap=3), Images(root, skip=())
    for source in sources:
        for view in source.pair(np.random.default_rng(0)):
            assert view.image.ndim == 3
            assert view.box.area > 100


def test_evaluation_reads_regions(layout, root):
    (sequence,) = load_sequences(root)
    assert {len(region) for region in sequence.regions} == {8 if layout.corners else 4}
    assert sequence.polygon(0).shape == (4, 2)
    assert sequence.name in ("walk", "walk-1", "walk.avi", "clip", "David")
    assert load_sequences(root, (sequence.name,)) == [sequence]


def test_the_demo_shows_it(root, tiny_engines, tmp_path):
    outcome = demo(tiny_engines, root, tmp_path, threads=1)
    assert len(outcome.overlaps) == FRAMES - 1
    assert cv2.imread(str(tmp_path / "contact_sheet.png")) is not None


def cut_short(path):
    path.write_bytes(path.read_bytes()[:100])


DAMAGE = {
    "a truth without an image": (beside("color"), lambda root: (root / "walk/color/002.png").unlink(), "walk"),
    "an image that is none": (beside("img"), lambda root: cut_short(root / "walk/img/002.png"), "002.png"),
    "a truth of words": (beside(), lambda root: (root / "walk/groundtruth.txt").write_text("a b c d\n" * 6), "line 1"),
    "an empty truth": (beside(), lambda root: (root / "walk/groundtruth.txt").write_text(""), "groundtruth.txt"),
    "a truth of bytes": (
        beside(),
        lambda root: (root / "walk/groundtruth.txt").write_bytes(b"\xff\xfe"),
        "groundtruth",
    ),
    "a polygon without area": (
        beside(),
        lambda root: (root / "walk/groundtruth.txt").write_text("1,1,1,1,1,1,1,1\n" * 6),
        "000.png",
    ),
    "a mask that is none": (
        lambda root: write_masked(root / "walk", FRAMES),
        lambda root: cut_short(root / "walk/003.png"),
        "003.png",
    ),
    "a list of images that are gone": (boxes_json, lambda root: (root / "walk/1.png").unlink(), "walk/1.png"),
    "a table that is no JSON": (boxes_json, lambda root: cut_short(root / "boxes.json"), "boxes.json"),
    "a damaged video": (video, lambda root: cut_short(root / "walk.avi"), "walk.avi"),
    "a video that is too short": (video, lambda root: write_film(root / "walk.avi", 3), "walk.avi"),
    "images that JSON names and are gone": (pysot_json, lambda root: (root / "VOT/walk/color/004.png").unlink(), "004"),
    "JSON without images": (
        pysot_json,
        lambda root: (root / "VOT/VOT.json").write_text(json.dumps({"walk": {"gt_rect": []}})),
        "VOT.json",
    ),
    "a list of what is not there": (
        beside("color"),
        lambda root: (root / "list.txt").write_text("walk\nrun\n"),
        "list.txt names run",
    ),
}


def calibrating(root, tiny_onnx):
    card = ModelCard.load(tiny_onnx)
    list(cut(plan(Request(tiny_onnx, root, FRAMES, 0, parse("minmax"), threads=1), card), card))


def training(root, _):
    if sys.version_info >= (3, 11):
        from training.sources import Videos

        source = Videos(root, skip=(), only=None, frame_gap=3)
        for seed in range(40):
            source.pair(np.random.default_rng(seed))
    else:
        calibrating(root, _)


def evaluating(root, _):
    sequence = load_sequence(root)
    for index in range(len(sequence)):
        sequence.start_box(index)
        sequence.frame(index)


@pytest.mark.parametrize("consumer", [calibrating, training, evaluating])
@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_sentence_that_names_the_file_and_a_way_out(name, consumer, tiny_onnx, tmp_path):
    write, damage, names = DAMAGE[name]
    write(tmp_path)
    damage(tmp_path)
    with pytest.raises(PipelineError) as caught:
        consumer(tmp_path, tiny_onnx)
    assert names in caught.value.problem
    assert caught.value.hint


def test_a_truth_of_one_line_is_a_start_for_calibration_and_no_truth_for_the_others(tmp_path, tiny_onnx):
    write_video(tmp_path / "walk", FRAMES, boxes=1)
    card = ModelCard.load(tiny_onnx)
    request = Request(tiny_onnx, tmp_path, FRAMES, 0, parse("minmax"), threads=1)
    assert {choice.search.index for choice in plan(request, card)} == set(range(FRAMES))
    with pytest.raises(PipelineError, match="6 images for 1 lines of truth"):
        load_sequences(tmp_path)


@pytest.mark.parametrize("images", ["", "color", "img"])
def test_videos_without_any_box_are_refused_with_the_file_to_write(images, tmp_path, tiny_onnx):
    write_video(tmp_path / "walk" / images, 2)
    (tmp_path / "walk" / images / "groundtruth.txt").unlink()
    request = Request(tiny_onnx, tmp_path, 2, 0, parse("minmax"), threads=1)
    with pytest.raises(PipelineError, match=r"walk\S* has no box") as caught:
        plan(request, ModelCard.load(tiny_onnx))
    file = Path(caught.value.hint.split(" to ")[1])
    file.write_text("40,30,30,20\n")
    assert len(plan(request, ModelCard.load(tiny_onnx))) == 2
