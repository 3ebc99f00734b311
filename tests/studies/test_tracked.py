from __future__ import annotations

from types import SimpleNamespace

import pytest

from siamtrt import UsageError
from studies.tracked import gains, shown, unseen


def seeded(one, *others):
    return {"videos": {"a": {"one": one}, "b": {f"other {index}": value for index, value in enumerate(others)}}}


def test_a_gain_is_the_difference_of_means_over_folders_of_videos_over_seeds():
    first = [seeded(0.5, 0.2, 0.2), seeded(0.7, 0.4, 0.4)]
    gain = gains([seeded(0.8, 0.4, 0.6)], first)
    assert gain["gain"] == pytest.approx((0.2 + 0.2) / 2)
    assert gains(first, first) == {"gain": 0.0, "low": 0.0, "high": 0.0}


def test_the_interval_holds_95_of_100_means_of_drawn_videos():
    values = [index / 400 for index in range(400)]
    gain = gains([seeded(0.5, *values)], [seeded(0.5, *(0.0 for _ in values))])
    error = 1.96 * (1 / 12) ** 0.5 / 400**0.5 / 2  # of a uniform mean, one of two folders
    assert (gain["low"], gain["high"]) == pytest.approx((gain["gain"] - error, gain["gain"] + error), abs=0.1 * error)
    assert shown({"gain": 0.1, "low": -0.02, "high": 0.3}) == "+0.100 (-0.020 to +0.300)"


def test_a_video_that_was_seen_is_refused_by_its_name():
    videos = {"set": [SimpleNamespace(name="dog"), SimpleNamespace(name="cat")]}
    assert unseen(videos, ["bird"]) is videos
    with pytest.raises(UsageError, match="seen by training or search: cat"):
        unseen(videos, ["cat"])
