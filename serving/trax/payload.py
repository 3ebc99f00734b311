"""What TraX messages carry: images, as a path or encoded in the message, and regions, as rectangles or polygons."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path

import cv2
import numpy as np

from siamtrt import Array, ArtifactError, BoundingBox, UsageError

IMAGE_FORMATS = "path;buffer;"
REGION_FORMATS = "rectangle;polygon;"
_FILE, _DATA = "file://", "data:"


def read_image(text: str) -> Array:
    """Decode an image: HxWx3 uint8, BGR.

    Args:
        text: ``file://PATH`` with the path as it is, not percent-encoded, or ``data:TYPE;BASE64``.

    Raises:
        UsageError: another kind of image.
        ArtifactError: it is not a readable image.
    """
    if text.startswith(_FILE):
        return _decode(*_bytes_of(text))
    if text.startswith(_DATA):
        try:
            data = base64.b64decode(re.split("[;,]", text)[-1], validate=True)
        except ValueError as error:
            raise ArtifactError(f"the image in the message is not in base64: {error}") from error
        return _decode(data, "the image in the message")
    raise _no_image(text)


def read_region(text: str) -> BoundingBox:
    """The box to start with: a rectangle as it is, four corners as a VOT run starts, other polygons by their extent.

    Args:
        text: ``x,y,width,height``, or ``x1,y1,x2,y2,x3,y3,...``, in pixels.

    Raises:
        UsageError: neither.
    """
    try:
        numbers = [float(field) for field in text.split(",")]
    except ValueError:
        numbers = []
    if not all(map(math.isfinite, numbers)) or len(numbers) < 4 or len(numbers) % 2:
        raise UsageError(f"{text[:60]!r} is no region that this tracker takes", hint="send a rectangle or a polygon")
    if len(numbers) == 4:
        return BoundingBox(*numbers)
    if len(numbers) == 8:
        return BoundingBox.from_polygon(numbers)
    xs, ys = numbers[0::2], numbers[1::2]
    return BoundingBox(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def _bytes_of(text: str) -> tuple[bytes, str]:
    """What lies at ``file://PATH``, and the path."""
    path = Path(text[len(_FILE) :])
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}", hint="fetch the sequence anew") from error
    except ValueError as error:  # no file can have such a name
        raise _no_image(text) from error


def _no_image(text: str) -> UsageError:
    return UsageError(f"{text[:60]!r} is no image that this tracker takes", hint="send file://PATH, or data:")


def _decode(data: bytes, where: str) -> Array:
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise ArtifactError(f"{where} cannot be decoded: {error.err}", hint="is it larger than 2^30 pixels?") from error
    if frame is None:
        raise ArtifactError(f"{where} is not a readable image", hint="fetch the sequence anew")
    return frame
