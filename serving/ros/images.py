"""What cameras publish, as frames: ``sensor_msgs/Image`` and ``sensor_msgs/CompressedImage`` to BGR.

Source: ``sensor_msgs/image_encodings.hpp`` of ROS 2's common_interfaces, for the names of encodings.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from siamtrt import Array, ArtifactError, UsageError

# Encoding -> bytes a pixel, and OpenCV's conversion to BGR.
_ENCODINGS = {
    "bgr8": (3, None),
    "8UC3": (3, None),
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "mono8": (1, cv2.COLOR_GRAY2BGR),
    "8UC1": (1, cv2.COLOR_GRAY2BGR),
    "yuv422": (2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2BGR_YUY2),
}


def frame_of(message: Any) -> Array:
    """The frame of a ``sensor_msgs/Image``: HxWx3 uint8, BGR, a copy.

    Raises:
        UsageError: an encoding that is not of colours or grey in 8 bits.
        ArtifactError: its data are shorter than its size says.
    """
    if message.encoding not in _ENCODINGS:
        raise UsageError(f"images of {message.encoding!r} cannot be tracked in", hint=f"one of {', '.join(_ENCODINGS)}")
    pixel_bytes, conversion = _ENCODINGS[message.encoding]
    data = np.frombuffer(message.data, np.uint8)
    height, width, step = message.height, message.width, message.step
    if not height or not width or step < width * pixel_bytes or data.size < step * height:
        size = f"{width}x{height} of {step} bytes a row"
        raise ArtifactError(
            f"an image of {size} in {message.encoding} has {data.size} bytes", hint="mend its publisher"
        )
    rows = data[: step * height].reshape(height, step)[:, : width * pixel_bytes]
    pixels = np.ascontiguousarray(rows).reshape(height, width, pixel_bytes)
    frame: Array = pixels.copy() if conversion is None else cv2.cvtColor(pixels, conversion)
    return frame


def frame_of_compressed(message: Any) -> Array:
    """The frame of a ``sensor_msgs/CompressedImage``: HxWx3 uint8, BGR.

    Raises:
        ArtifactError: OpenCV cannot decode it.
    """
    data = np.frombuffer(message.data, np.uint8)
    try:
        frame = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise ArtifactError(f"a compressed image cannot be decoded: {error.err}") from error
    if frame is None:
        raise ArtifactError(f"a compressed image of {message.format!r} cannot be decoded", hint="jpeg or png")
    return frame
