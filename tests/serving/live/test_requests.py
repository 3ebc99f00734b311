from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.live.requests import FOLLOW, FORGET, Request, parse
from siamtrt import BoundingBox, UsageError


def test_a_box_is_followed_beside_the_others_only_if_that_is_asked_for():
    assert parse('{"action": "follow", "box": [1, 2.5, 3, 4]}') == Request(FOLLOW, BoundingBox(1, 2.5, 3, 4))
    assert parse('{"action": "follow", "box": [1, 2, 3, 4], "beside": true}').beside
    assert not parse('{"action": "follow", "box": [1, 2, 3, 4], "beside": "yes"}').beside


def test_one_target_is_forgotten_or_all():
    assert parse('{"action": "forget", "target": 3}') == Request(FORGET, target=3)
    assert parse('{"action": "forget"}') == Request(FORGET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seen?",
        "[" * 4000,
        "[]",
        "null",
        '{"action": "open"}',
        '{"action": ["follow"]}',
        '{"action": "follow"}',
        '{"action": "follow", "box": [1, 2, 3]}',
        '{"action": "follow", "box": [1, 2, 3, "4"]}',
        '{"action": "follow", "box": [1, 2, true, 4]}',
        '{"action": "follow", "box": [1, 2, 0, 4]}',
        '{"action": "follow", "box": [1, 2, NaN, 4]}',
        '{"action": "follow", "box": [1, 2, Infinity, 4]}',
        '{"action": "follow", "box": [1, 2, 1e999, 4]}',
        f'{{"action": "follow", "box": [1, 2, {"9" * 400}, 4]}}',
        '{"action": "forget", "target": "1"}',
        '{"action": "forget", "target": true}',
    ],
)
def test_anything_else_is_refused_in_one_sentence(text):
    with pytest.raises(UsageError):
        parse(text)


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)


@given(st.dictionaries(st.sampled_from(["action", "box", "target", "beside"]), _JSON) | _JSON)
def test_no_request_does_more_than_be_refused(document):
    with contextlib.suppress(UsageError):
        parse(json.dumps(document))
