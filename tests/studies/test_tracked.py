from __future__ import annotations

import pytest

from studies.tracked import gains


def seeded(*successes):
    return {"videos": {"b": {"two": successes[0]}, "a": {"one": successes[1]}}}


def test_a_gain_is_that_of_each_video_over_the_mean_of_its_seeds():
    first = [seeded(0.5, 0.2), seeded(0.7, 0.4)]
    found = gains([seeded(0.6, 0.6)], first)
    assert found["gain"] == pytest.approx(0.15)
    assert (found["low"], found["high"]) == pytest.approx((0.0, 0.3))
    assert gains(first, first) == {"gain": 0.0, "low": 0.0, "high": 0.0}
