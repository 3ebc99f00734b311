"""Crops are those of the tracker, and on disk they are whole or not there."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.crops import LOST_EVERY, Samples, cut
from calibration.plan import plan
from siamtrt import ModelCard, UsageError
from siamtrt.card import LostRule, SearchCard, StageCard
from siamtrt.geometry import Place
from tests.runtime.stub import StubMatcher, tracker_of
from tests.videos import picture, write_stills, write_video


@pytest.fixture
def card(tiny_onnx):
    return ModelCard.load(tiny_onnx)


@pytest.fixture
def chosen(card, request_of):
    def choose(root, crops, seed=0):
        return plan(request_of(source=root, crops=crops, seed=seed), card)

    return choose


def test_crops_are_those_the_tracker_cuts(tmp_path, card, chosen):
    """The template as ``start`` cuts it, the search region as ``update`` does from the same state."""
    write_video(tmp_path / "v", 5)
    choices = chosen(tmp_path, 5, 3)
    for index, crops in cut(choices, card):
        choice, matcher = choices[index], StubMatcher(card)
        tracker = tracker_of(matcher)
        given = tracker.start(picture(choice.template.index), choice.template.box)
        place = Place(*choice.state.center, choice.state.width, choice.state.height)
        tracker.go_on_from(replace(given, place=place))
        tracker.update(picture(choice.search.index))
        np.testing.assert_array_equal(crops.template, matcher.template)
        np.testing.assert_array_equal(crops.searches["search"], matcher.patches[0])


def test_crops_keep_the_order_of_colours(tmp_path, card, chosen):
    blue = picture(0) * np.array([1, 0, 0], np.uint8)
    write_stills(tmp_path / "set", {"blue.png": [40, 30, 30, 20]})
    cv2.imwrite(str(tmp_path / "set" / "blue.png"), blue)
    ((_, crops),) = cut(chosen(tmp_path, 1, 0), card)
    for patch in (crops.template, crops.searches["search"]):
        assert patch[..., 0].max() > 200
        assert patch[..., 1:].max() == 0


def test_stills_meet_themselves(tmp_path, card, chosen):
    write_stills(tmp_path / "set", {"a.png": [[40, 30, 30, 20]], "b.png": [[20, 30, 30, 20]]})
    choices = chosen(tmp_path, 2, 0)
    assert [choice.template.frame_name for choice in choices] == ["a.png", "b.png"]
    assert len(list(cut(choices, card))) == 2


def test_a_long_term_model_gets_a_large_crop_now_and_then(tmp_path, card, chosen):
    stage = StageCard("search_lost", "xcorr_lost", card.kernel_names)
    large = SearchCard(831, 25, 0.4, (stage,), LostRule(0.8, 0.9))
    lost = replace(card, searches=(*card.searches, large))
    write_video(tmp_path / "v", LOST_EVERY + 2)
    choices = chosen(tmp_path, LOST_EVERY + 1, 0)
    large = {
        i: crops.searches["search_lost"].shape for i, crops in cut(choices, lost) if "search_lost" in crops.searches
    }
    assert large == {0: (831, 831, 3), LOST_EVERY: (831, 831, 3)}
    assert all("search_lost" not in crops.searches for _, crops in cut(choices, card))


@pytest.mark.parametrize("level", [0, 77])
def test_frames_of_one_colour_are_refused_by_name(tmp_path, card, chosen, level):
    write_video(tmp_path / "v", 2)
    cv2.imwrite(str(tmp_path / "v" / "000.png"), np.full((120, 160, 3), level, np.uint8))
    with pytest.raises(UsageError, match=rf"000\.png in v is all \({level}, {level}, {level}\)"):
        list(cut(chosen(tmp_path, 2, 0), card))


def test_a_box_outside_its_frame_is_refused(tmp_path, card, chosen):
    write_stills(tmp_path / "set", {"a.png": [[900, 900, 30, 20]]})
    with pytest.raises(UsageError, match="boxes outside the frame"):
        list(cut(chosen(tmp_path, 1, 0), card))


def test_every_folder_of_a_frame_is_a_name_it_may_be_known_by(tmp_path, card):
    samples = Samples(tmp_path, {}, card)
    samples.entries = {
        "00000": {"clip": "videos/walk.avi", "template_frame": "frame 3", "search_frame": "frame 9"},
        "00001": {"clip": "stills/ants1", "template_frame": "01.jpg", "search_frame": "07.jpg"},
        "00002": {"clip": "coco/7.jpg-2", "template_frame": "7.jpg", "search_frame": "7.jpg"},
        "00003": {"clip": "9.jpg", "template_frame": "9.jpg", "search_frame": "9.jpg"},
    }
    assert samples.sources() == ["ants1", "coco", "stills", "videos", "walk", "walk.avi"]
