from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from siamtrt import ArtifactError, BoundingBox, UsageError
from tests.training.data import write_images, write_masks, write_videos
from tests.videos import write_video
from training import sources
from training.config import Config, DataConfig, SourceConfig
from training.sources import Composites, Images, Patches, Videos, open_sources


def config(*sources):
    return Config(steps=1, data=DataConfig(sources=sources, validation=("held",)))


def test_a_video_gives_two_of_its_frames(tmp_path):
    write_videos(tmp_path)
    source = Videos(tmp_path, skip=("held",), only=None, frame_gap=50)
    template, search = source.pair(np.random.default_rng(0))
    for view in (template, search):
        assert view.image.shape == (120, 160, 3)
        assert (view.box.width, view.box.height) == (36, 28)
        middle = view.image[int(view.box.center[1]), int(view.box.x)]
        assert middle[0] > 125  # the object is where its box is


def test_the_frame_gap_is_kept(tmp_path):
    write_videos(tmp_path, names=("one",), frames=12)
    source = Videos(tmp_path, skip=(), only=None, frame_gap=2)
    for seed in range(30):
        template, search = source.pair(np.random.default_rng(seed))
        assert abs(template.box.x - search.box.x) <= 2 * 8


def test_masks_give_the_boxes_they_enclose(tmp_path):
    write_masks(tmp_path)
    template, _ = Videos(tmp_path, skip=(), only=("cat",), frame_gap=0).pair(np.random.default_rng(0))
    assert template.box == BoundingBox(template.box.x, 20, 40, 30)


def test_a_composite_puts_the_object_where_its_box_says(tmp_path):
    write_masks(tmp_path / "masks")
    background = tmp_path / "black"
    background.mkdir()
    cv2.imwrite(str(background / "black.png"), np.zeros((300, 400, 3), np.uint8))
    source = Composites(Videos(tmp_path / "masks", skip=(), only=None, frame_gap=9), background)
    template, search = source.pair(np.random.default_rng(3))
    x, y, width, height = cv2.boundingRect((template.image.max(axis=2) > 40).astype(np.uint8))
    assert BoundingBox(x, y, width, height).iou(template.box) > 0.85
    lit = (search.image.max(axis=2) > 40).sum()
    assert lit > 1.2 * search.box.area  # a second object is there too


def test_the_second_object_of_a_composite_is_another_one_if_there_is_one(tmp_path):
    write_masks(tmp_path / "masks")
    write_images(tmp_path / "images")
    for names, shown in ((None, {"cat", "dog"}), (("cat",), {"cat"})):
        source = Composites(Videos(tmp_path / "masks", skip=(), only=names, frame_gap=9), tmp_path / "images")
        for seed in range(12):
            _, search = source.pair(np.random.default_rng(seed))
            assert {folder.name for folder in search.shows} == shown


def test_images_give_the_same_view_twice_one_box_or_many(tmp_path):
    write_images(tmp_path / "images")
    source = Images(tmp_path / "images", skip=())
    seen = {source.pair(np.random.default_rng(seed))[0].box for seed in range(30)}
    assert seen == {BoundingBox(20, 20, 50, 40), BoundingBox(60, 50, 30, 30), BoundingBox(10, 10, 40, 60)}


def test_a_patch_is_one_place_in_two_frames_and_no_truth(tmp_path):
    write_videos(tmp_path)
    source = Patches(tmp_path, skip=("held",), frame_gap=3)
    for seed in range(20):
        template, search = source.pair(np.random.default_rng(seed))
        assert template.box == search.box
        assert template.known
        assert not search.known
        assert template.box.x >= 0
        assert template.box.x + template.box.width <= 160


def test_only_sources_with_held_out_videos_choose_the_weights(tmp_path):
    write_videos(tmp_path / "videos")
    write_videos(tmp_path / "more", names=("one", "two"))
    settings = config(SourceConfig(kind="videos", path="videos"), SourceConfig(kind="videos", path="more"))
    assert len(open_sources(settings, tmp_path, validation=True)) == 1


def test_bad_data_is_refused_by_name(tmp_path):
    write_videos(tmp_path / "videos", names=("one",))
    (tmp_path / "videos" / "one" / "00000.jpg").unlink()
    with pytest.raises(ArtifactError, match="5 images for 6 lines of truth"):
        Videos(tmp_path / "videos", skip=(), only=None, frame_gap=1)
    write_images(tmp_path / "images")
    (tmp_path / "images" / "b.jpg").unlink()
    with pytest.raises(ArtifactError, match=r"names b\.jpg, which is not there"):
        Images(tmp_path / "images", skip=())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="holds no sequence"):
        Videos(tmp_path / "empty", skip=(), only=None, frame_gap=1)
    write_videos(tmp_path / "short", names=("one",), frames=1)
    with pytest.raises(ArtifactError, match="no video with two usable boxes"):
        Videos(tmp_path / "short", skip=(), only=None, frame_gap=1)
    settings = config(SourceConfig(kind="videos", path="nowhere"))
    with pytest.raises(ArtifactError, match="no such data folder"):
        open_sources(settings, tmp_path)
    with pytest.raises(UsageError, match="unknown kind of source 'sound'"):
        open_sources(config(SourceConfig(kind="sound", path="empty")), tmp_path)


def test_boxes_nothing_can_be_learned_from_are_left_out(tmp_path):
    write_videos(tmp_path, names=("one",), frames=6)
    truth = tmp_path / "one" / "groundtruth.txt"
    lines = truth.read_text().split()
    lines[0], lines[1], lines[2] = "nan,1,20,20", "5,5,200,3", "900,900,0,0"
    truth.write_text("\n".join(lines))
    source = Videos(tmp_path, skip=(), only=None, frame_gap=50)
    boxes = {view.box.x for seed in range(40) for view in source.pair(np.random.default_rng(seed))}
    assert boxes == {44.0, 52.0, 60.0}


def test_composites_of_videos_without_masks_are_refused_before_the_first_step(tmp_path):
    write_videos(tmp_path / "videos", names=("one",))
    write_images(tmp_path / "images")
    source = SourceConfig(kind="composites", path="videos", backgrounds="images")
    with pytest.raises(ArtifactError, match=r"\.jpg has no readable mask 0000\d\.png beside it"):
        open_sources(config(source), tmp_path)


def test_png_frames_are_not_taken_for_masks(tmp_path):
    write_video(tmp_path / "videos" / "one", 4)
    write_images(tmp_path / "images")
    source = SourceConfig(kind="composites", path="videos", backgrounds="images")
    with pytest.raises(ArtifactError, match="has no readable mask"):
        open_sources(config(source), tmp_path)


def test_held_out_videos_are_known_at_any_depth(tmp_path):
    write_videos(tmp_path / "set" / "deep", names=("one", "held"))
    source = Videos(tmp_path, skip=("held",), only=None, frame_gap=9)
    held = Videos(tmp_path, skip=(), only=("held",), frame_gap=9)
    for seed in range(9):
        assert source.views(np.random.default_rng(seed))[0][0].parent.name == "one"
        assert held.views(np.random.default_rng(seed))[0][0].parent.name == "held"


def test_images_are_kept_up_to_a_number_of_bytes_not_of_images(monkeypatch):
    monkeypatch.setattr(sources, "_CACHE_BYTES", 100)
    reads = []

    def read(name):
        reads.append(name)
        return np.zeros(40, np.uint8)

    cached = sources._cached(read)
    for name in ("a", "b", "a", "c", "a", "b"):  # two fit; c drops b, which was used longest ago
        cached(name)
    assert reads == ["a", "b", "c", "b"]


def test_a_name_that_no_source_has_holds_nothing_out_and_is_refused(tmp_path):
    write_videos(tmp_path / "videos", names=("one", "held"))
    settings = config(SourceConfig(kind="videos", path="videos"))
    open_sources(settings, tmp_path)
    misspelt = replace(settings, data=replace(settings.data, validation=("held", "on")))
    for validation in (False, True):
        with pytest.raises(UsageError, match="no source has the held-out on\n"):
            open_sources(misspelt, tmp_path, validation=validation)
