from __future__ import annotations

import cv2
import numpy as np
import pytest

from siamtrt import ArtifactError, BoundingBox, UsageError
from tests.training.data import write_images, write_masks, write_videos
from tests.videos import write_video
from training.config import Augmentation, Config, SourceConfig
from training.pairs import PairSampler, View, crop
from training.sources import Composites, Images, Labelled, Patches, Videos, open_sources


def config(*sources, **changes):
    return Config(model="siamrpn_lite0", sources=sources, validation=("held",), steps=1, **changes)


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


def test_images_give_the_same_view_twice_one_box_or_many(tmp_path):
    write_images(tmp_path / "images")
    source = Images(tmp_path / "images", skip=())
    seen = {source.pair(np.random.default_rng(seed))[0].box for seed in range(30)}
    assert seen == {BoundingBox(20, 20, 50, 40), BoundingBox(60, 50, 30, 30), BoundingBox(10, 10, 40, 60)}


def test_shares_sum_to_one_and_held_out_videos_are_apart(tmp_path):
    write_videos(tmp_path / "videos")
    write_images(tmp_path / "images")
    settings = config(SourceConfig(kind="videos", path="videos", weight=3), SourceConfig(kind="images", path="images"))
    assert [share for _, share in open_sources(settings, tmp_path)] == [0.75, 0.25]
    assert len(open_sources(settings, tmp_path, validation=True)) == 1


def test_a_pair_depends_on_seed_and_number_alone(tmp_path):
    write_videos(tmp_path / "videos")
    settings = config(SourceConfig(kind="videos", path="videos"))
    samplers = [PairSampler(open_sources(settings, tmp_path), settings, 255) for _ in range(2)]
    samplers[0].pair(5)
    one, again, other = samplers[0].pair(7), samplers[1].pair(7), samplers[1].pair(8)
    np.testing.assert_array_equal(one.search, again.search)
    assert one.box == again.box
    assert one.box != other.box
    assert one.template.shape == (127, 127, 3)
    assert one.search.shape == (255, 255, 3)


def test_negative_pairs_come_as_often_as_asked(tmp_path):
    write_videos(tmp_path / "videos")
    settings = config(SourceConfig(kind="videos", path="videos"), negative=0.5)
    sampler = PairSampler(open_sources(settings, tmp_path), settings, 255)
    assert 30 < sum(not sampler.pair(index).positive for index in range(100)) < 70


def test_the_undisturbed_crop_has_the_trackers_geometry():
    image = np.zeros((400, 400, 3), np.uint8)
    image[180:220, 170:230] = 255
    box = BoundingBox(170, 180, 60, 40)
    cut, moved = crop(Labelled(image, box), 255, 255 / 127, View(0, 0, 1, 1))
    scale = 127 / np.sqrt((60 + 50) * (40 + 50))
    assert (moved.width, moved.height) == pytest.approx((60 * scale, 40 * scale))
    assert moved.center == pytest.approx((127.5, 127.5))
    x, y, width, height = cv2.boundingRect((cut[..., 0] > 127).astype(np.uint8))
    assert BoundingBox(x, y, width, height).iou(moved) > 0.97


def test_a_shifted_and_scaled_crop_moves_the_box_with_the_picture():
    image = np.zeros((400, 400, 3), np.uint8)
    image[180:220, 170:230] = 255
    cut, moved = crop(Labelled(image, BoundingBox(170, 180, 60, 40)), 255, 2.0, View(40, -30, 1.15, 0.9))
    x, y, width, height = cv2.boundingRect((cut[..., 0] > 127).astype(np.uint8))
    assert BoundingBox(x, y, width, height).iou(moved) > 0.95
    assert moved.center == pytest.approx((167.5, 97.5))


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


def test_a_pair_of_a_patch_says_that_its_box_is_no_truth(tmp_path):
    write_videos(tmp_path / "videos")
    settings = config(SourceConfig(kind="patches", path="videos"))
    assert not PairSampler(open_sources(settings, tmp_path), settings, 255).pair(0).known


def test_only_sources_with_held_out_videos_choose_the_weights(tmp_path):
    write_videos(tmp_path / "videos")
    write_videos(tmp_path / "more", names=("one", "two"))
    settings = config(SourceConfig(kind="videos", path="videos"), SourceConfig(kind="videos", path="more"))
    assert len(open_sources(settings, tmp_path, validation=True)) == 1


def test_zoom_varies_both_sides_alike(tmp_path):
    write_videos(tmp_path / "videos")
    ranges = Augmentation(search_scale=0.0, search_zoom=0.3)
    settings = config(SourceConfig(kind="videos", path="videos"), augmentation=ranges, negative=0.0)
    sampler = PairSampler(open_sources(settings, tmp_path), settings, 255)
    boxes = [sampler.pair(index).box for index in range(60)]
    ratios = [box.width / box.height for box in boxes]
    assert max(ratios) == pytest.approx(min(ratios))
    widths = [box.width for box in boxes]
    assert 1.3 < max(widths) / min(widths) <= 1.3**2 + 1e-6


def test_a_flipped_pair_shows_the_object_where_its_box_says(tmp_path):
    write_videos(tmp_path / "videos")
    ranges = Augmentation(search_scale=0.0, flip=1.0, blur=0.0, gray=0.0, color=0.0)
    settings = config(SourceConfig(kind="videos", path="videos"), augmentation=ranges, negative=0.0)
    pair = PairSampler(open_sources(settings, tmp_path), settings, 255).pair(1)
    shown = cv2.boundingRect((pair.search[..., 0] > 140).astype(np.uint8))
    assert BoundingBox(*map(float, shown)).iou(pair.box) > 0.8


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
