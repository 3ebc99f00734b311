"""The layouts of the large data sets, as tiny folders that are made here."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from sequences.layouts import open_sequences
from siamtrt import ArtifactError, BoundingBox, UsageError
from training.cut import _arguments, main
from training.sources import Images, Videos
from training.tracks import tracks

BOX = BoundingBox(60, 40, 40, 30)
XML = "<annotation>{}</annotation>"
BOUNDS = "<xmin>60</xmin><ymin>40</ymin><xmax>100</xmax><ymax>70</ymax>"
OBJECT = f"<object><trackid>{{}}</trackid><bndbox>{BOUNDS}</bndbox></object>"


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((120, 160, 3), 60, np.uint8)
    image[40:70, 60:100] = (20, 230, 120)
    cv2.imwrite(str(path), image)


def video(folder, count=4, images="", first=1):
    for index in range(first, first + count):
        picture(folder / images / f"{index:08d}.jpg")
    (folder / "groundtruth.txt").write_text("60,40,40,30\n" * count)


@pytest.fixture
def got10k(tmp_path):
    root = tmp_path / "got10k"
    video(root / "train" / "GOT-10k_Train_000001")
    (root / "train" / "GOT-10k_Train_000001" / "absence.label").write_text("0\n0\n1\n0\n")
    video(root / "train" / "GOT-10k_Train_000002")
    (root / "train" / "list.txt").write_text("GOT-10k_Train_000001\nGOT-10k_Train_000002\n")
    return root


@pytest.fixture
def lasot(tmp_path):
    root = tmp_path / "lasot"
    for name in ("cat-1", "cat-2"):
        video(root / "cat" / name, images="img")
        (root / "cat" / name / "full_occlusion.txt").write_text("0,0,0,1")
        (root / "cat" / name / "out_of_view.txt").write_text("1,0,0,0")
    (root / "training_set.txt").write_text("cat-2\n")
    return root


@pytest.fixture
def coco(tmp_path):
    root = tmp_path / "coco"
    picture(root / "train2017" / "000000000009.jpg")
    entries = [
        {"id": 5, "image_id": 9, "bbox": [60, 40, 40, 30], "iscrowd": 0},
        {"id": 6, "image_id": 9, "bbox": [0, 0, 90, 90], "iscrowd": 1},
    ]
    (root / "annotations").mkdir()
    table = {"images": [{"id": 9, "file_name": "000000000009.jpg"}], "annotations": entries}
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(table))
    return root


@pytest.fixture
def vid(tmp_path):
    root, inner = tmp_path / "vid", "train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00005004"
    for index in range(3):
        picture(root / "Data" / "VID" / inner / f"{index:06d}.JPEG")
        path = root / "Annotations" / "VID" / inner / f"{index:06d}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(XML.format(OBJECT.format(0) + (OBJECT.format(1) if index else "")))
    return root


def test_got10k_without_the_frames_that_lack_the_object(got10k):
    found = list(tracks("got10k", got10k, "train"))
    assert [(track.name[-1], len(track.frames)) for track in found] == [("1", 3), ("2", 4)]
    assert found[0].frames[0][1] == BOX


def test_lasot_takes_its_list_and_leaves_hidden_and_absent_frames_out(lasot):
    (found,) = tracks("lasot", lasot, "training_set")
    assert found.name == "cat-2"
    assert [image.name for image, _ in found.frames] == ["00000002.jpg", "00000003.jpg"]


def test_lasot_takes_every_video_only_on_demand(lasot):
    with pytest.raises(UsageError, match=r"no list of videos .*train\.txt"):
        list(tracks("lasot", lasot, "train"))
    assert [track.name for track in tracks("lasot", lasot, "all")] == ["cat-1", "cat-2"]


def test_coco_objects_that_are_no_crowd(coco):
    (found,) = tracks("coco", coco, "train2017")
    assert found.name == "000000000009_5"
    assert found.frames[0][1] == BOX


def test_imagenet_vid_follows_each_object_through_the_frames_that_show_it(vid):
    found = list(tracks("imagenet_vid", vid, "train"))
    assert [len(track.frames) for track in found] == [3, 2]
    assert len({track.name for track in found}) == 2
    assert found[0].frames[0] == (next((vid / "Data").rglob("000000.JPEG")), BOX)


def cut(tmp_path, layout, root, split, *more):
    words = ["--layout", layout, "--root", root, "--split", split, "--every", 1, "--out", tmp_path / "out", *more]
    main(_arguments().parse_args([str(word) for word in words]))
    return tmp_path / "out"


def test_the_squares_of_a_video_are_a_source_of_videos(tmp_path, got10k, capsys):
    out = cut(tmp_path, "got10k", got10k, "train")
    template, search = Videos(out, skip=(), only=None, frame_gap=9).pair(np.random.default_rng(0))
    assert template.image.shape == (511, 511, 3)
    assert template.box.center == pytest.approx((255.5, 255.5), abs=0.1)
    scale = 127 / np.sqrt((40 + 35) * (30 + 35))
    assert search.box.width == pytest.approx(40 * scale, abs=0.1)
    x, y, width, height = cv2.boundingRect((template.image[..., 1] > 150).astype(np.uint8))
    assert BoundingBox(x, y, width, height).iou(template.box) > 0.9
    assert capsys.readouterr().out.strip() == str(out)


def test_the_squares_of_images_are_a_source_of_images(tmp_path, coco):
    labelled, _ = Images(cut(tmp_path, "coco", coco, "train2017"), skip=()).pair(np.random.default_rng(0))
    assert labelled.image.shape == (511, 511, 3)


def test_a_video_object_seen_once_leaves_the_others_readable(tmp_path, vid):
    out = cut(tmp_path, "imagenet_vid", vid, "train", "--every", 2)  # of the second object one frame remains
    (video,) = open_sequences(out)
    assert len(video) == 2
    cut(tmp_path, "imagenet_vid", vid, "train", "--every", 2)


def test_videos_are_not_cut_beside_a_list_that_hides_them(tmp_path, coco, vid):
    cut(tmp_path, "coco", coco, "train2017")
    with pytest.raises(UsageError, match=r"boxes\.json would hide the videos"):
        cut(tmp_path, "imagenet_vid", vid, "train")


def test_what_was_cut_is_not_cut_again(tmp_path, got10k):
    out = cut(tmp_path, "got10k", got10k, "train")
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    (out / "GOT-10k_Train_000002" / "groundtruth.txt").unlink()
    cut(tmp_path, "got10k", got10k, "train")
    kept = {path for path, time_ns in made.items() if path.stat().st_mtime_ns == time_ns}
    assert {path.parent.name for path in set(made) - kept} == {"GOT-10k_Train_000002"}


def test_an_unlisted_video_of_lasot_may_be_damaged(lasot):
    (lasot / "cat" / "cat-1" / "groundtruth.txt").write_text("no numbers\n")
    (found,) = tracks("lasot", lasot, "training_set")
    assert found.name == "cat-2"


def test_images_that_were_cut_before_a_damaged_one_are_kept(tmp_path, coco):
    path = coco / "annotations" / "instances_train2017.json"
    table = json.loads(path.read_text())
    table["images"].append({"id": 10, "file_name": "lost.jpg"})
    table["annotations"].append({"id": 7, "image_id": 10, "bbox": [60, 40, 40, 30], "iscrowd": 0})
    path.write_text(json.dumps(table))
    with pytest.raises(ArtifactError, match=r"lost\.jpg"):
        cut(tmp_path, "coco", coco, "train2017")
    assert list(json.loads((tmp_path / "out" / "boxes.json").read_text())) == ["000000000009_5.jpg"]


def test_damaged_annotations_are_named(tmp_path, coco, vid):
    with pytest.raises(UsageError, match="unknown layout"):
        list(tracks("got11k", coco, "train"))
    with pytest.raises(UsageError, match="holds nothing of imagenet_vid"):
        list(tracks("imagenet_vid", coco, "train"))
    (coco / "annotations" / "instances_train2017.json").write_text('{"images": []}')
    with pytest.raises(ArtifactError, match=r"instances_train2017\.json is no file of COCO"):
        list(tracks("coco", coco, "train2017"))
    path = next((vid / "Annotations").rglob("000001.xml"))
    path.write_text("<annotation><object>")
    with pytest.raises(ArtifactError, match=r"000001\.xml is no annotation"):
        list(tracks("imagenet_vid", vid, "train"))
