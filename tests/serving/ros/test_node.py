"""The node between doubles of rclpy and of the message classes of two distributions. It needs ROS 2 to run for real."""

from __future__ import annotations

import argparse
import sys
import time

import cv2
import numpy as np
import pytest

from runtime.followed import Followed
from serving.ros import serve as command
from serving.ros.interfaces import Interfaces
from serving.ros.node import TrackerNode
from siamtrt import MissingDependencyError, UsageError
from tests.doubles.ros import Node, message_classes, rclpy_modules
from tests.runtime.stub import StubMatcher, card, long_term_card, maps_with_score, tracker_of

FRAME = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
BOX = {"x": 40.0, "y": 30.0, "width": 50.0, "height": 40.0}


@pytest.fixture(params=["humble", "foxy"])
def modules(request, monkeypatch):
    """rclpy and the packages of messages of a distribution, importable."""
    made = rclpy_modules(request.param, {}, lambda node: None)
    for name, module in made.items():
        monkeypatch.setitem(sys.modules, name, module)
    return made


def image(modules, frame=FRAME, seconds=0, **changes):
    types = vars(modules["sensor_msgs.msg"])
    message = types["Image"]()
    message.header = vars(modules["std_msgs.msg"])["Header"]()
    message.header.stamp.sec, message.header.frame_id = seconds, "camera"
    message.height, message.width, message.step = frame.shape[0], frame.shape[1], frame.strides[0]
    message.encoding, message.data = "bgr8", frame.tobytes()
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def wait(condition):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError("it never came")


class Running:
    """A node at work, and what it published."""

    def __init__(self, modules, open_trackers, *, compressed=False):
        self.modules, self.ended = modules, []
        time_class = vars(modules["builtin_interfaces.msg"])["Time"]
        self.node = Node("siamtrt", {}, time_class)
        self._followed = Followed(open_trackers)
        self.tracker = TrackerNode(
            self.node,
            Interfaces.load(),
            self._followed,
            image_qos="sensor data",
            compressed=compressed,
            about={"model": "stub"},
            ended=self.ended.append,
        )

    def __enter__(self):
        self.tracker.__enter__()
        return self

    def __exit__(self, *_):
        self.tracker.__exit__()
        self._followed.__exit__()

    def send(self, message):
        """Publish an image and wait for the detections in it."""
        count = len(self.arrays)
        self.node.subscriptions["image"].callback(message)
        return wait(
            lambda: self.arrays[-1] if len(self.arrays) > count and self.arrays[-1].header is message.header else None
        )

    @property
    def arrays(self):
        return self.node.publishers["~/detections"].published

    def diagnosis(self):
        ((_, callback),) = self.node.timers
        callback()
        message = self.node.publishers["/diagnostics"].published[-1]
        assert message.header.stamp is not None
        (status,) = message.status
        return status, {pair.key: pair.value for pair in status.values}


def stubs(count):
    return [tracker_of(StubMatcher(card())) for _ in range(count)]


def of(detection):
    """Number, score and middle, of either distribution."""
    fields, (result,) = detection.get_fields_and_field_types(), detection.results
    if "tracking_id" in fields:
        assert detection.is_tracking
        return detection.tracking_id, result.score, (detection.bbox.center.x, detection.bbox.center.y)
    center = detection.bbox.center.position
    return detection.id, result.hypothesis.score, (center.x, center.y)


def test_a_target_is_started_followed_and_stopped_by_services(modules):
    with Running(modules, stubs) as running:
        assert running.send(image(modules)).detections == []
        answer = running.node.call("~/start", **BOX)
        assert (answer.success, answer.message) == (True, "taken before the next image")
        array = running.send(image(modules, seconds=7))
        (detection,) = array.detections
        assert (array.header.stamp.sec, detection.header.frame_id) == (7, "camera")
        number, score, _ = of(detection)
        assert (number, 0 < score < 1) == ("1", True)
        given = next(array for array in running.arrays if array.detections).detections[0]
        assert of(given) == ("1", 1.0, (65.0, 50.0))
        assert (given.bbox.size_x, given.bbox.size_y) == (50.0, 40.0)
        assert running.node.call("~/stop", id="1").success
        assert running.send(image(modules)).detections == []


def test_targets_join_and_each_is_stopped_by_its_id(modules):
    with Running(modules, stubs) as running:
        running.send(image(modules))
        for beside in (False, True):
            assert running.node.call("~/start", beside=beside, **BOX).success
        assert [of(one)[0] for one in running.send(image(modules)).detections] == ["1", "2"]
        assert running.node.call("~/stop", id="1").success
        assert [of(one)[0] for one in running.send(image(modules)).detections] == ["2"]
        assert running.node.call("~/stop").success
        assert running.send(image(modules)).detections == []


def test_what_cannot_be_followed_is_answered(modules):
    with Running(modules, stubs) as running:
        assert running.node.call("~/start", **BOX).message == "no image has come yet"
        running.send(image(modules))
        for box in ({**BOX, "width": 0.0}, {**BOX, "x": float("nan")}, {**BOX, "x": 900.0}):
            answer = running.node.call("~/start", **box)
            assert not answer.success
            assert answer.message
        assert running.node.call("~/stop", id="first").message == "no target is called 'first'"


def test_a_lost_target_is_in_no_detections_and_in_the_diagnostics(modules):
    class Losing(StubMatcher):
        def __init__(self):
            super().__init__(long_term_card(), lambda size: maps_with_score(size, 0.1))

    with Running(modules, lambda count: [tracker_of(Losing()) for _ in range(count)]) as running:
        running.send(image(modules))
        running.node.call("~/start", **BOX)
        assert running.send(image(modules)).detections == []
        status, values = running.diagnosis()
        assert (status.level, status.message) == (b"\x01", "has lost 1")
        assert values["score of 1"] == "0.100"


def test_the_diagnostics_have_stage_times_rates_and_what_was_left_out(modules):
    with Running(modules, stubs) as running:
        status, _ = running.diagnosis()
        assert (status.level, status.message) == (b"\x01", "no images come")
        running.send(image(modules))
        running.node.call("~/start", **BOX)
        running.node.subscriptions["image"].callback(image(modules, encoding="32FC1"))
        wait(lambda: running.tracker._camera.unreadable)
        running.send(image(modules))
        status, values = running.diagnosis()
        assert (status.name, status.level, status.message) == ("siamtrt: tracker", b"\x00", "follows 1 targets")
        assert {"crop ms", "network ms", "decode ms", "frames a second", "model"} <= set(values)
        assert (values["images received"], values["images unreadable"]) == ("3", "1")


def test_images_of_another_size_end_the_targets_and_say_so(modules):
    with Running(modules, stubs) as running:
        running.send(image(modules))
        running.node.call("~/start", **BOX)
        running.send(image(modules))
        running.node.subscriptions["image"].callback(image(modules, FRAME[:60]))
        wait(lambda: running.diagnosis()[0].level == b"\x02")
        assert "the frame size changed" in running.diagnosis()[0].message
        assert running.send(image(modules, FRAME[:60])).detections == []


def test_images_that_come_faster_than_they_are_tracked_are_left_out(modules):
    class Slow(StubMatcher):
        def match(self, frame, square, fill):
            time.sleep(0.05)
            return super().match(frame, square, fill)

    with Running(modules, lambda count: [tracker_of(Slow(card())) for _ in range(count)]) as running:
        running.send(image(modules))
        running.node.call("~/start", **BOX)
        running.send(image(modules))
        for seconds in range(100, 140):
            running.node.subscriptions["image"].callback(image(modules, seconds=seconds))
            time.sleep(0.005)
        wait(lambda: running.arrays[-1].header.stamp.sec == 139)
        followed = {array.header.stamp.sec for array in running.arrays} - {0}
        assert len(followed) < 20


def test_compressed_images(modules):
    message = vars(modules["sensor_msgs.msg"])["CompressedImage"]()
    message.header, message.format = vars(modules["std_msgs.msg"])["Header"](), "jpeg"
    message.data = cv2.imencode(".jpg", FRAME)[1].tobytes()
    with Running(modules, stubs, compressed=True) as running:
        assert running.node.subscriptions["image"].kind is type(message)
        assert running.send(message).detections == []


# The command


def run(monkeypatch, parameters, talk):
    made = rclpy_modules("humble", parameters, talk)
    for name, module in made.items():
        monkeypatch.setitem(sys.modules, name, module)
    command.main(argparse.Namespace(ros_args=["-p", "a:=b"]))
    return made["rclpy"]


def test_the_command_declares_its_parameters_and_ends_when_ros_does(monkeypatch, tiny_engines):
    rclpy = run(monkeypatch, {"engines": str(tiny_engines), "threads": 1}, lambda node: None)
    assert set(rclpy.node.declared) == set(command.PARAMETERS)
    assert rclpy.node.subscriptions["image"].qos == "sensor data"
    assert rclpy.arguments == ["--ros-args", "-p", "a:=b"]
    assert rclpy.node.destroyed


def test_a_wrong_parameter_is_one_sentence(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="has no engines"):
        run(monkeypatch, {}, lambda node: None)
    with pytest.raises(UsageError, match="no folder of that name"):
        run(monkeypatch, {"engines": str(tmp_path), "precision": "fp16"}, lambda node: None)


def test_a_precision_chooses_among_the_folders_of_engines(tmp_path):
    for name in ("onnxruntime-fp16", "onnxruntime-fp16+fp32+fp16", "tensorrt-int8"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("")
    assert command.engine_folder(str(tmp_path), "fp16") == tmp_path / "onnxruntime-fp16"
    assert command.engine_folder(str(tmp_path), "target=fp16,search=fp32,xcorr=fp16").name.endswith("fp32+fp16")
    (tmp_path / "tensorrt-fp16").mkdir()
    (tmp_path / "tensorrt-fp16" / "manifest.json").write_text("")
    with pytest.raises(UsageError, match="onnxruntime-fp16, tensorrt-fp16"):
        command.engine_folder(str(tmp_path), "fp16")


def test_without_ros_2_it_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "rclpy", None)
    with pytest.raises(MissingDependencyError, match="rclpy"):
        command.main(argparse.Namespace(ros_args=[]))
    monkeypatch.setitem(sys.modules, "vision_msgs", None)
    with pytest.raises(MissingDependencyError, match="needs ROS 2"):
        Interfaces.load()


def test_the_classes_of_the_double_are_strict():
    classes = message_classes("humble")
    with pytest.raises(AttributeError):
        classes["vision_msgs/Detection2D"]().tracking_id = "1"
    with pytest.raises(AssertionError):
        classes["vision_msgs/Point2D"]().x = 1
