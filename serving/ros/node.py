"""The node: images in, detections and diagnostics out, services between two frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.followed import Followed
from serving.live import requests
from serving.live.live import Live
from serving.live.requests import Request
from serving.live.shown import Shown
from serving.ros.camera import Camera
from serving.ros.images import frame_of, frame_of_compressed
from serving.ros.interfaces import Interfaces
from siamtrt import BoundingBox, PipelineError, UsageError

_DETECTIONS_DEPTH = 10
_DIAGNOSTICS_PERIOD_S = 1.0
_SILENCE_S = 2.0  # of the camera, before it is worth a warning


class TrackerNode:
    """Follows what it is asked to in the images of a topic, on a thread of its own, within a ``with`` block.

    ``image`` is subscribed to; ``~/detections`` and ``/diagnostics`` are published; ``~/start`` and ``~/stop`` are
    services. A target that a long-term model has lost is in no detections until it is found again.

    Args:
        node: of rclpy, or a double of it; stays the caller's.
        interfaces: the types of messages.
        followed: stays the caller's.
        image_qos: quality of service of the subscription.
        compressed: the images are ``sensor_msgs/CompressedImage``.
        about: of the model, shown in the diagnostics.
        ended: called when the loop ends, with its error if there was one.
    """

    def __init__(
        self,
        node: Any,
        interfaces: Interfaces,
        followed: Followed,
        *,
        image_qos: Any,
        compressed: bool,
        about: dict[str, str],
        ended: Callable[[PipelineError | None], None],
    ) -> None:
        self._node, self._interfaces, self._about, self._ended = node, interfaces, about, ended
        types = interfaces.types
        self._camera = Camera(frame_of_compressed if compressed else frame_of)
        self._live = Live(lambda: self._camera, followed, Path(), self._show)
        self._shown: Shown | None = None
        self._shown_at = self._told_at = time.monotonic()
        self._published = self._told = 0
        self._detections = node.create_publisher(types["Detection2DArray"], "~/detections", _DETECTIONS_DEPTH)
        self._diagnostics = node.create_publisher(types["DiagnosticArray"], "/diagnostics", _DETECTIONS_DEPTH)
        node.create_service(types["Start"], "~/start", self._start)
        node.create_service(types["Stop"], "~/stop", self._stop)
        node.create_timer(_DIAGNOSTICS_PERIOD_S, self.diagnose)
        node.create_subscription(
            types["CompressedImage" if compressed else "Image"], "image", self._camera.offer, image_qos
        )
        self._thread = threading.Thread(target=self._run, name="tracker")

    def __enter__(self) -> TrackerNode:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        self._camera.close()
        self._thread.join()

    def ask(self, request: Request) -> None:
        """Have *request* done before the next image.

        Raises:
            UsageError: it cannot be done.
        """
        shown = self._shown
        if request.box is not None:
            request.box.require_valid()
            if shown is None:
                raise UsageError("no image has come yet")
            if not request.box.clipped(shown.frame.shape[1], shown.frame.shape[0]).area:
                raise UsageError("the box lies outside the image")
        self._live.ask(request)

    def diagnose(self) -> None:
        """Publish how the tracker is: stage times in milliseconds, frames a second, images that were left out."""
        now, shown, status = time.monotonic(), self._shown, self._interfaces.types["DiagnosticStatus"]
        states = [state for _, state in shown.targets] if shown else []
        lost = [number for number, state in shown.targets if state.lost] if shown else []
        notice = shown.status["notice"] if shown else None
        level, text = status.OK, f"follows {len(states) - len(lost)} targets"
        if notice:
            level, text = status.ERROR, str(notice)
        elif shown is None or now - self._shown_at > _SILENCE_S:
            level, text = status.WARN, "no images come"
        elif lost:
            level, text = status.WARN, f"has lost {', '.join(map(str, lost))}"
        values: dict[str, object] = dict(self._about)
        values["frames a second"] = (self._published - self._told) / max(now - self._told_at, 1e-9)
        values["images received"], values["images unreadable"] = self._camera.received, self._camera.unreadable
        for stage in sorted({stage for state in states for stage in state.times}):
            values[f"{stage} ms"] = sum(state.times.get(stage, 0) for state in states) / 1e6
        for number, state in shown.targets if shown else ():
            values[f"score of {number}"] = "given" if state.score is None else state.score
        self._told, self._told_at = self._published, now
        stamp, name = self._node.get_clock().now().to_msg(), f"{self._node.get_name()}: tracker"
        self._diagnostics.publish(self._interfaces.diagnostics(stamp, name, level, text, values))

    def _run(self) -> None:
        error: PipelineError | None = None
        try:
            self._live.run()
        except PipelineError as raised:
            error = raised
        finally:
            self._ended(error)

    def _show(self, shown: Shown) -> None:
        before, self._shown = self._shown, shown
        if before is not None and before.frame is shown.frame and before.targets == shown.targets:
            return
        if before is None or before.frame is not shown.frame:
            self._published, self._shown_at = self._published + 1, time.monotonic()
        self._detections.publish(self._interfaces.detections(self._camera.header_of(shown.frame), shown.targets))

    def _start(self, request: Any, response: Any) -> Any:
        box = BoundingBox(request.x, request.y, request.width, request.height)
        return self._answer(
            response, Request(requests.FOLLOW, box, beside=request.beside), "taken before the next image"
        )

    def _stop(self, request: Any, response: Any) -> Any:
        if request.id and not request.id.isdecimal():
            response.success, response.message = False, f"no target is called {request.id!r}"
            return response
        target = int(request.id) if request.id else None
        return self._answer(response, Request(requests.FORGET, target=target), "forgotten before the next image")

    def _answer(self, response: Any, request: Request, done: str) -> Any:
        try:
            self.ask(request)
        except PipelineError as error:
            response.success, response.message = False, error.problem
        else:
            response.success, response.message = True, done
        return response
