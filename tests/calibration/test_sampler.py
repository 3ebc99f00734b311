from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from calibration.clips import Clip, Label
from calibration.discover import find_clips
from calibration.sampler import LOST_EVERY, choose, cut
from calibration.samples import Samples

from siamtrt import BoundingBox, ModelCard, UsageError
from siamtrt.card import LostRule, SearchCard, StageCard
from siamtrt.geometry import Place
from tests.calibration.frames import box_of, picture, write_stills, write_video
from tests.runtime.stub import StubMatcher, tracker_of


def clip(name, frames):
    labels = tuple(Label(str(i), i, BoundingBox(*box_of(i)), "") for i in range(frames))
    return Clip(name, (), None, labels)


def test_each_clip_gives_the_same_number():
    drawn = Counter(choice.clip.name for choice in choose([clip("a", 50), clip("b", 500), clip("c", 9)], 24, seed=0))
    assert drawn == {"a": 8, "b": 8, "c": 8}


def test_what_is_left_over_goes_to_clips_drawn_by_chance():
    clips = [clip(name, 50) for name in "abc"]
    drawn = [Counter(choice.clip.name for choice in choose(clips, 10, seed)) for seed in range(9)]
    assert all(sorted(counts.values()) == [3, 3, 4] for counts in drawn)
    assert len({max(counts, key=counts.get) for counts in drawn}) > 1


def test_the_others_make_up_for_a_short_clip_and_it_is_named(caplog):
    drawn = Counter(choice.clip.name for choice in choose([clip("short", 2), clip("a", 50), clip("b", 50)], 30, seed=0))
    assert drawn == {"short": 2, "a": 14, "b": 14}
    assert "short" in caplog.text


def test_no_frame_is_searched_twice_and_no_template_is_later():
    choices = choose([clip("a", 40)], 40, seed=0)
    assert [choice.search.position for choice in choices] == list(range(40))
    assert all(choice.template.position < choice.search.position for choice in choices[1:])
    assert len({choice.template.position for choice in choices}) > 15


def test_the_seed_decides():
    clips = [clip("a", 40), clip("b", 40)]
    assert choose(clips, 20, seed=1) == choose(clips, 20, seed=1)
    assert choose(clips, 20, seed=1) != choose(clips, 20, seed=2)


@pytest.mark.parametrize("crops", [0, 6])
def test_more_crops_than_frames_are_refused(crops):
    with pytest.raises(UsageError, match=f"{crops} crops were asked for, the frames give 1 to 5"):
        choose([clip("a", 3), clip("b", 2)], crops, seed=0)


def test_the_state_is_the_box_before_with_a_small_error():
    choices = choose([clip("a", 400)], 400, seed=0)
    shifts, sizes = [], []
    for choice in choices[1:]:
        before = BoundingBox(*box_of(choice.search.position - 1))
        shifts.append((choice.state.center[0] - before.center[0]) / 600**0.5)
        sizes.append(np.log(choice.state.width / before.width))
    assert np.mean(shifts) == pytest.approx(0, abs=0.02)
    assert np.std(shifts) == pytest.approx(0.1, abs=0.02)
    assert np.std(sizes) == pytest.approx(0.1, abs=0.02)


@pytest.fixture
def card(tiny_onnx):
    return ModelCard.load(tiny_onnx)


def test_crops_are_those_the_tracker_cuts(tmp_path, card):
    """The template as ``start`` cuts it, the search region as ``update`` does from the same state."""
    write_video(tmp_path / "v", 5)
    choices = choose(find_clips(tmp_path, 10), 5, seed=3)
    for index, crops in cut(choices, card):
        choice, matcher = choices[index], StubMatcher(card)
        tracker = tracker_of(matcher)
        given = tracker.start(picture(choice.template.position), choice.template.box)
        place = Place(*choice.state.center, choice.state.width, choice.state.height)
        tracker.go_on_from(replace(given, place=place))
        tracker.update(picture(choice.search.position))
        np.testing.assert_array_equal(crops.template, matcher.template)
        np.testing.assert_array_equal(crops.search["search"], matcher.patches[0])


def test_crops_keep_the_order_of_colours(tmp_path, card):
    blue = picture(0) * np.array([1, 0, 0], np.uint8)
    write_stills(tmp_path / "set", {"blue.png": [40, 30, 30, 20]})
    cv2.imwrite(str(tmp_path / "set" / "blue.png"), blue)
    ((_, crops),) = cut(choose(find_clips(tmp_path, 10), 1, seed=0), card)
    for patch in (crops.template, crops.search["search"]):
        assert patch[..., 0].max() > 200
        assert patch[..., 1:].max() == 0


def test_stills_meet_themselves(tmp_path, card):
    write_stills(tmp_path / "set", {"a.png": [[40, 30, 30, 20]], "b.png": [[20, 30, 30, 20]]})
    choices = choose(find_clips(tmp_path, 10), 2, seed=0)
    assert [choice.template.frame for choice in choices] == ["a.png", "b.png"]
    assert len(list(cut(choices, card))) == 2


def test_a_long_term_model_gets_a_large_crop_now_and_then(tmp_path, card):
    stage = StageCard("search_lost", "xcorr_lost", card.kernel_names)
    large = SearchCard(831, 25, 0.4, (stage,), LostRule(0.8, 0.9))
    lost = replace(card, searches=(*card.searches, large))
    write_video(tmp_path / "v", LOST_EVERY + 2)
    choices = choose(find_clips(tmp_path, 10), LOST_EVERY + 1, seed=0)
    large = {i: crops.search["search_lost"].shape for i, crops in cut(choices, lost) if "search_lost" in crops.search}
    assert large == {0: (831, 831, 3), LOST_EVERY: (831, 831, 3)}
    assert all("search_lost" not in crops.search for _, crops in cut(choices, card))


@pytest.mark.parametrize("level", [0, 77])
def test_frames_of_one_colour_are_refused_by_name(tmp_path, card, level):
    write_video(tmp_path / "v", 2)
    cv2.imwrite(str(tmp_path / "v" / "000.png"), np.full((120, 160, 3), level, np.uint8))
    with pytest.raises(UsageError, match=rf"000\.png in v is \({level}, {level}, {level}\) throughout"):
        list(cut(choose(find_clips(tmp_path, 10), 2, seed=0), card))


def test_a_box_outside_its_frame_is_refused(tmp_path, card):
    write_stills(tmp_path / "set", {"a.png": [[900, 900, 30, 20]]})
    with pytest.raises(UsageError, match="boxes outside the frame"):
        list(cut(choose(find_clips(tmp_path, 10), 1, seed=0), card))


def test_every_folder_of_a_frame_is_a_name_it_may_be_known_by(tmp_path):
    samples = Samples(tmp_path, {})
    samples.entries = [
        {"clip": "videos/walk.avi", "template_frame": "frame 3", "search_frame": "frame 9"},
        {"clip": "stills", "template_frame": "ants1/color/01.jpg", "search_frame": "ants1/color/07.jpg"},
    ]
    assert samples.sources() == ["ants1", "color", "stills", "videos", "walk", "walk.avi"]
