"""The message types of ROS 2 that the node speaks, imported when it starts; and what is written into them.

``vision_msgs`` changed after Foxy: a detection had ``tracking_id``, its hypothesis ``id`` and ``score``, its box a flat
centre. Humble and later have ``id``, ``hypothesis.class_id`` and ``hypothesis.score``, and ``center.position``. Which
of the two is installed is read off the types.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.tracker import TrackerState
from siamtrt import MissingDependencyError

CLASS = "target"
_NAMES = {
    "Image": "sensor_msgs.msg",
    "CompressedImage": "sensor_msgs.msg",
    "Detection2DArray": "vision_msgs.msg",
    "Detection2D": "vision_msgs.msg",
    "ObjectHypothesisWithPose": "vision_msgs.msg",
    "DiagnosticArray": "diagnostic_msgs.msg",
    "DiagnosticStatus": "diagnostic_msgs.msg",
    "KeyValue": "diagnostic_msgs.msg",
    "Start": "siamtrt_interfaces.srv",
    "Stop": "siamtrt_interfaces.srv",
}


@dataclass(frozen=True)
class Interfaces:
    """The types by name, each a class of ROS 2."""

    types: Mapping[str, Any]

    @classmethod
    def load(cls) -> Interfaces:
        """Import them.

        Raises:
            MissingDependencyError: a package of ROS 2 is not installed, or not sourced.
        """
        try:
            return cls({name: vars(importlib.import_module(module))[name] for name, module in _NAMES.items()})
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"the node needs ROS 2's {error.name}", hint="source /opt/ros/DISTRO/setup.bash; see docs/serving.md"
            ) from error

    def detections(self, header: Any, targets: Iterable[tuple[int, TrackerState]]) -> Any:
        """A ``Detection2DArray`` of the targets that are not lost.

        The box that a target was given has the score 1.

        Args:
            header: of the image.
            targets: the number of each and its state.
        """
        message = self.types["Detection2DArray"]()
        message.header = header
        message.detections = [self._detection(header, *target) for target in targets if not target[1].lost]
        return message

    def _detection(self, header: Any, number: int, state: TrackerState) -> Any:
        detection, result = self.types["Detection2D"](), self.types["ObjectHypothesisWithPose"]()
        score = 1.0 if state.score is None else float(state.score)
        x, y = state.box.center
        detection.header = header
        if "id" in detection.get_fields_and_field_types():
            detection.id = str(number)
            result.hypothesis.class_id, result.hypothesis.score = CLASS, score
            detection.bbox.center.position.x, detection.bbox.center.position.y = float(x), float(y)
        else:
            detection.is_tracking, detection.tracking_id = True, str(number)
            result.id, result.score = CLASS, score
            detection.bbox.center.x, detection.bbox.center.y = float(x), float(y)
        detection.bbox.size_x, detection.bbox.size_y = float(state.box.width), float(state.box.height)
        detection.results = [result]
        return detection

    def diagnostics(self, stamp: Any, name: str, level: bytes, text: str, values: Mapping[str, object]) -> Any:
        """A ``DiagnosticArray`` of one status.

        Args:
            stamp: the time of the node's clock.
            name: of the status.
            level: ``DiagnosticStatus.OK``, ``WARN`` or ``ERROR``, a byte.
            text: in words.
            values: what is shown beside.
        """
        message, status = self.types["DiagnosticArray"](), self.types["DiagnosticStatus"]()
        message.header.stamp = stamp
        status.level, status.name, status.message, status.hardware_id = level, name, text, ""
        status.values = [self._value(key, value) for key, value in values.items()]
        message.status = [status]
        return message

    def _value(self, key: str, value: object) -> Any:
        pair = self.types["KeyValue"]()
        pair.key, pair.value = key, f"{value:.3f}" if isinstance(value, float) else str(value)
        return pair
