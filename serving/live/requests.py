"""What a page may ask for: a line of JSON each."""

from __future__ import annotations

import json
from dataclasses import dataclass

from siamtrt import BoundingBox, UsageError

LONGEST_BYTES = 4096
FOLLOW, FORGET, PAUSE, GO, AGAIN, RECORD, STOP = "follow", "forget", "pause", "go", "again", "record", "stop"
_ACTIONS = (FOLLOW, FORGET, PAUSE, GO, AGAIN, RECORD, STOP)
_FARTHEST_PX = 1e6


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        action: one of the words above.
        box: the target to follow, in pixels of the frame; of ``follow``.
        beside: the targets so far are followed further; of ``follow``.
        target: the number of the target to forget, None for all; of ``forget``.
    """

    action: str
    box: BoundingBox | None = None
    beside: bool = False
    target: int | None = None


def parse(text: str) -> Request:
    """Read what a page sent.

    Raises:
        UsageError: it is no request.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("a request is not in JSON") from error
    if not isinstance(fields, dict) or fields.get("action") not in _ACTIONS:
        raise UsageError(f"not a request: {text:.60}", hint=f"an action of {', '.join(_ACTIONS)}")
    action, target = fields["action"], fields.get("target")
    if target is not None and type(target) is not int:
        raise UsageError("the number of a target is a whole number")
    box = _box(fields.get("box")) if action == FOLLOW else None
    return Request(action, box, fields.get("beside") is True, target)


def _box(numbers: object) -> BoundingBox:
    if not isinstance(numbers, list) or len(numbers) != 4 or not all(map(_is_near, numbers)):
        raise UsageError("a box is four numbers: x, y, width, height")
    box = BoundingBox(*map(float, numbers))
    box.require_valid()
    return box


def _is_near(number: object) -> bool:
    return isinstance(number, (int, float)) and not isinstance(number, bool) and abs(number) <= _FARTHEST_PX
