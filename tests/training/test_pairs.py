from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from networks.models import spec
from siamtrt import BoundingBox, UsageError
from tests.training.data import write_images, write_masks, write_videos
from training.config import Augmentation, Config, DataConfig, SourceConfig
from training.pairs import PairSampler, View, crop
from training.sources import Labelled, open_sources

VIDEOS = SourceConfig(kind="videos", path="videos")
STILL = dict.fromkeys(Augmentation.__dataclass_fields__, 0.0)
UNMOVED = View(0, 0, 1, 1)
SIDE_PX = math.sqrt((60 + 50) * (40 + 50))  # of the template's square around an object of 60x40


def config(*sources, **changes):
    return Config(steps=1, data=DataConfig(sources=sources, **{"validation": ("held",), **changes}))


def sampler(settings, root, **changes):
    return PairSampler(open_sources(settings, root), settings, spec("siamrpn_lite0"), **changes)


def draw(sources, count=60):
    """Pairs of each source."""
    rng = np.random.default_rng(0)
    return [source.pair(rng) for source, _ in sources for _ in range(count)]


def test_shares_sum_to_one(tmp_path):
    write_videos(tmp_path / "videos")
    write_images(tmp_path / "images")
    settings = config(SourceConfig(kind="videos", path="videos", weight=3), SourceConfig(kind="images", path="images"))
    assert [share for _, share in open_sources(settings, tmp_path)] == [0.75, 0.25]


def test_held_out_videos_are_never_trained_on_and_alone_validate(tmp_path):
    write_videos(tmp_path / "videos", names=("one", "two"), size=(36, 28))
    write_videos(tmp_path / "videos", names=("held",), size=(30, 24))
    write_images(tmp_path / "images")
    settings = config(VIDEOS, SourceConfig(kind="images", path="images"))
    held_out = open_sources(settings, tmp_path, validation=True)
    assert len(held_out) == 1  # images hold nothing out
    assert {view.box.width for pair in draw(held_out) for view in pair} == {30}
    training = open_sources(settings, tmp_path)[:1]
    assert {view.box.width for pair in draw(training) for view in pair} == {36}


@pytest.mark.parametrize("kind", ["videos", "masks", "composites", "images", "patches"])
def test_the_template_of_a_negative_pair_shows_another_object(tmp_path, monkeypatch, kind):
    write_videos(tmp_path / "videos", names=("one", "two", "three"))
    write_masks(tmp_path / "masks", names=("cat", "dog", "cow"))
    write_images(tmp_path / "images")
    folder = {"composites": "masks", "patches": "videos"}.get(kind, kind)
    source = SourceConfig(kind=kind, path=folder, backgrounds="images")
    settings = config(source, validation=(), negative=1.0)
    drawn = []
    monkeypatch.setattr(
        PairSampler, "_crop", lambda self, view, *_: (drawn.append(view), crop(view, 64, 64, UNMOVED))[1]
    )
    pairs = sampler(settings, tmp_path)
    for index in range(12):
        assert not pairs.pair(index).positive
    for template, search in zip(drawn[::2], drawn[1::2]):
        assert template.shows
        assert template.shows.isdisjoint(search.shows)


def test_a_single_video_still_gives_negative_pairs(tmp_path):
    write_videos(tmp_path / "videos", names=("one",))
    assert not sampler(config(VIDEOS, validation=(), negative=1.0), tmp_path).pair(0).positive


def test_images_alone_hold_nothing_out(tmp_path):
    write_images(tmp_path / "images")
    with pytest.raises(UsageError, match="no source has videos to hold out"):
        open_sources(config(SourceConfig(kind="images", path="images")), tmp_path, validation=True)


def test_each_view_of_a_masked_video_has_the_box_of_its_own_frame(tmp_path):
    write_masks(tmp_path / "masks")
    apart = 0
    for pair in draw(open_sources(config(SourceConfig(kind="masks", path="masks"), validation=()), tmp_path)):
        apart += pair[0].box != pair[1].box
        for image, x in ((view.image, int(view.box.x)) for view in pair):
            inside, outside = image[22:48, x : x + 4, 0].mean(), image[22:48, x - 6 : x - 2, 0].mean()
            assert inside > outside + 30
    assert apart > 20


def test_a_pair_depends_on_seed_and_number_alone(tmp_path):
    write_videos(tmp_path / "videos")
    samplers = [sampler(config(VIDEOS), tmp_path) for _ in range(2)]
    samplers[0].pair(5)
    one, again, other = samplers[0].pair(7), samplers[1].pair(7), samplers[1].pair(8)
    np.testing.assert_array_equal(one.search, again.search)
    assert one.box == again.box
    assert one.box != other.box
    assert one.template.shape == (127, 127, 3)
    assert one.search.shape == (255, 255, 3)


def test_negative_pairs_come_as_often_as_asked_and_never_in_validation(tmp_path):
    write_videos(tmp_path / "videos")
    settings = config(VIDEOS, negative=0.2)
    pairs = sampler(settings, tmp_path)
    assert 20 < sum(not pairs.pair(index).positive for index in range(200)) < 60
    held_out = sampler(settings, tmp_path, augmented=False)
    assert all(held_out.pair(index).positive for index in range(40))


def test_the_search_crop_is_shifted_and_scaled_as_far_as_asked_and_the_template_is_not(tmp_path):
    write_videos(tmp_path / "videos", names=("one",), frames=2)
    alike = {"frame_gap": 1, "negative": 0.0, "validation": ()}
    still = config(VIDEOS, **alike, augmentation=Augmentation(**STILL))
    moving = Augmentation(**{**STILL, "search_shift_px": 50.0, "search_scale": 0.2})
    pairs = sampler(config(VIDEOS, **alike, augmentation=moving), tmp_path)
    unmoved = [sampler(still, tmp_path).pair(index) for index in range(40)]
    moved = [pairs.pair(index) for index in range(40)]
    width, height = unmoved[0].box.width, unmoved[0].box.height
    assert (width, height) == pytest.approx([side * 127 / math.sqrt(68 * 60) for side in (36, 28)])
    assert all(pair.box.center == pytest.approx((127.5, 127.5)) for pair in unmoved)
    shifts = [abs(side - 127.5) for pair in moved for side in pair.box.center]
    factors = [factor for pair in moved for factor in (pair.box.width / width, pair.box.height / height)]
    assert 40 < max(shifts) <= 50
    assert 0.8 <= min(factors) < 0.85
    assert 1.15 < max(factors) <= 1.2
    for one, other in zip(unmoved, moved):
        np.testing.assert_array_equal(one.template, other.template)


def bright(side_px, box):
    image = np.zeros((side_px, side_px, 3), np.uint8)
    image[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)] = 255
    return Labelled(image, box)


def test_the_undisturbed_crop_has_the_trackers_geometry():
    cut, moved = crop(bright(400, BoundingBox(170, 180, 60, 40)), 255, SIDE_PX * 255 / 127, UNMOVED)
    assert (moved.width, moved.height) == pytest.approx((60 * 127 / SIDE_PX, 40 * 127 / SIDE_PX))
    assert moved.center == pytest.approx((127.5, 127.5))
    x, y, width, height = cv2.boundingRect((cut[..., 0] > 127).astype(np.uint8))
    assert BoundingBox(x, y, width, height).iou(moved) > 0.97


@pytest.mark.parametrize("view", [UNMOVED, View(31, -17, 1.15, 0.9)])
def test_an_enlarged_object_lies_in_its_box_to_a_tenth_of_a_pixel(view):
    """At six times the size, half a pixel of the image is three of the crop."""
    cut, moved = crop(bright(60, BoundingBox(24, 25, 12, 10)), 255, 44.0, view)
    rows, columns = np.indices(cut.shape[:2])
    light = cut[..., 0].astype(float)
    center = ((light * (columns + 0.5)).sum() / light.sum(), (light * (rows + 0.5)).sum() / light.sum())
    assert center == pytest.approx(moved.center, abs=0.1)


def test_a_shifted_and_scaled_crop_moves_the_box_with_the_picture():
    cut, moved = crop(bright(400, BoundingBox(170, 180, 60, 40)), 255, 2 * SIDE_PX, View(40, -30, 1.15, 0.9))
    x, y, width, height = cv2.boundingRect((cut[..., 0] > 127).astype(np.uint8))
    assert BoundingBox(x, y, width, height).iou(moved) > 0.95
    assert moved.center == pytest.approx((167.5, 97.5))


def test_a_pair_of_a_patch_says_that_its_box_is_no_truth(tmp_path):
    write_videos(tmp_path / "videos")
    assert not sampler(config(SourceConfig(kind="patches", path="videos")), tmp_path).pair(0).known


def test_zoom_varies_both_sides_alike(tmp_path):
    write_videos(tmp_path / "videos")
    ranges = Augmentation(search_scale=0.0, search_zoom=0.3)
    drawn = sampler(config(VIDEOS, augmentation=ranges, negative=0.0), tmp_path)
    boxes = [drawn.pair(index).box for index in range(60)]
    ratios = [box.width / box.height for box in boxes]
    assert max(ratios) == pytest.approx(min(ratios))
    widths = [box.width for box in boxes]
    assert 1.3 < max(widths) / min(widths) <= 1.3**2 + 1e-6


def test_a_flipped_pair_shows_the_object_where_its_box_says(tmp_path):
    write_videos(tmp_path / "videos")
    ranges = Augmentation(search_scale=0.0, flip=1.0, blur=0.0, gray=0.0, color=0.0)
    pair = sampler(config(VIDEOS, augmentation=ranges, negative=0.0), tmp_path).pair(1)
    shown = cv2.boundingRect((pair.search[..., 0] > 140).astype(np.uint8))
    assert BoundingBox(*map(float, shown)).iou(pair.box) > 0.8
