from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evaluation.vot.overlap import box_polygon, certainly_overlaps, raster_overlap
from siamtrt import BoundingBox

SIZE = (320, 240)
ANYWHERE = st.floats(-60, 380)
SMALL = st.floats(0, 60)


def raster(box, truth):
    region = box_polygon(np.array([[box.x, box.y, box.width, box.height]]))
    return raster_overlap(region, truth[None], SIZE)[0]


def around(x, y, width, height):
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(ANYWHERE, ANYWHERE, SMALL, SMALL), st.lists(st.tuples(SMALL, SMALL), min_size=4, max_size=4), st.data()
)
def test_what_is_plain_is_true(box, corners, data):
    """Of any quadrilateral: convex or not, twisted or flat, wherever it lies."""
    region = BoundingBox(*box)
    truth = (
        np.array(corners) + data.draw(st.tuples(ANYWHERE, ANYWHERE))
        if data.draw(st.booleans())
        else np.array(corners) + box[:2]
    )
    if certainly_overlaps(region, truth, SIZE):
        assert raster(region, truth) > 0


@pytest.mark.parametrize(
    ("truth", "plain"),
    [
        (around(100, 100, 40, 30), True),
        (around(110, 105, 40, 30), True),
        (np.array([(120, 90), (150, 115), (120, 140), (90, 115)]), True),
        (around(100, 100, 40, 30)[::-1], True),
        (around(200, 100, 40, 30), False),  # apart
        (around(138, 100, 40, 30), False),  # two pixels shared: to be computed
        (around(118, 113, 4, 4), False),  # small: to be computed
        (np.array([(100, 100), (140, 130), (140, 100), (100, 130)]), False),  # a bow tie, crossed in its middle
        (np.full((4, 2), np.nan), False),
        (np.full((4, 2), 120.0), False),
    ],
)
def test_known_pairs(truth, plain):
    assert certainly_overlaps(BoundingBox(100, 100, 40, 30), truth, SIZE) is plain


def test_outside_of_the_image_nothing_is_plain():
    assert not certainly_overlaps(BoundingBox(330, 100, 40, 30), around(330, 100, 40, 30), SIZE)


def test_most_frames_of_a_good_run_are_plain():
    rng = np.random.default_rng(0)
    plain = 0
    for _ in range(200):
        x, y, width, height = *rng.uniform(20, 150, 2), *rng.uniform(15, 60, 2)
        shift = rng.normal(0, 3, 2)
        plain += certainly_overlaps(
            BoundingBox(x, y, width, height), around(x + shift[0], y + shift[1], width, height), SIZE
        )
    assert plain >= 195
