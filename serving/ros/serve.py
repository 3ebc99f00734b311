"""``python -m serving ros``: a ROS 2 node that tracks in the images of a topic. It needs ROS 2."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from runtime.followed import Followed
from runtime.open_engines import open_locators
from runtime.tracker import Tracker
from serving.ros.interfaces import Interfaces
from serving.ros.node import TrackerNode
from siamtrt import GraphPrecisions, Manifest, MissingDependencyError, ModelCard, PipelineError, UsageError
from siamtrt.manifest import FILE_NAME

NAME = "siamtrt"
# Parameter -> default; of rclpy's types, where None is not one.
PARAMETERS: dict[str, Any] = {
    "engines": "",
    "precision": "",
    "compressed": False,
    "threads": 0,
    "decode": "",
    "wait": "",
    "policy": "",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    about = "the rest goes to ROS 2: -p engines:=DIR -p precision:=fp16 -r image:=/camera/image_raw"
    parser.add_argument("--ros-args", nargs=argparse.REMAINDER, default=[], help=about)


def main(options: argparse.Namespace) -> None:
    """Run the node until it is shut down."""
    try:
        rclpy = importlib.import_module("rclpy")
    except ModuleNotFoundError as error:
        hint = "source /opt/ros/DISTRO/setup.bash; see docs/serving.md"
        raise MissingDependencyError("the node needs ROS 2's rclpy, which is not here", hint=hint) from error
    rclpy.init(args=["--ros-args", *options.ros_args] if options.ros_args else [])
    node = rclpy.create_node(NAME)
    errors: list[PipelineError] = []

    def ended(error: PipelineError | None) -> None:
        errors.extend([error] if error else [])
        rclpy.try_shutdown()  # from the tracker's thread: spin returns

    try:
        serve(rclpy, node, ended)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    if errors:
        raise errors[0]


def serve(rclpy: Any, node: Any, ended: Any) -> None:
    """Track until rclpy is shut down.

    Args:
        rclpy: the module, or a double of it.
        node: of rclpy.
        ended: see :class:`TrackerNode`.

    Raises:
        PipelineError: a parameter is wrong, or the engines cannot be opened.
    """
    given = {name: node.declare_parameter(name, default).value for name, default in PARAMETERS.items()}
    engines = engine_folder(given["engines"], given["precision"])
    backend = {name: given[name] or None for name in ("threads", "decode", "wait", "policy")}

    def open_trackers(count: int) -> list[Tracker]:
        return [Tracker(locator) for locator in open_locators(engines, count, **backend)]

    qos = importlib.import_module("rclpy.qos")
    with Followed(open_trackers) as followed:
        followed.make_room(1)
        wiring = {"image_qos": qos.qos_profile_sensor_data, "compressed": given["compressed"], "about": _about(engines)}
        with TrackerNode(node, Interfaces.load(), followed, ended=ended, **wiring):
            node.get_logger().info(f"tracks with {engines}")
            try:
                rclpy.spin(node)
            except rclpy.executors.ExternalShutdownException:
                return


def engine_folder(engines: str, precision: str) -> Path:
    """The folder that the parameters name.

    Args:
        engines: a folder written by ``python -m engines``; or one that holds several, called ``BACKEND-PRECISION``.
        precision: which of these; empty where *engines* is one itself.

    Raises:
        UsageError: there is none, or more than one.
    """
    if not engines:
        raise UsageError("the node has no engines", hint="-p engines:=build/MODEL/engines -p precision:=fp16")
    folder = Path(engines)
    if not precision:
        return folder
    label = GraphPrecisions.parse(precision).label
    found = [path.parent for path in sorted(folder.glob(f"*-{label}/{FILE_NAME}"))]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "no folder of that name"
        raise UsageError(f"{folder} has {names} for the precision {label}", hint="name the folder itself as engines")
    return found[0]


def _about(engines: Path) -> dict[str, str]:
    settings = Manifest.load(engines, stage="engines").settings
    return {"model": ModelCard.load(engines).name, "backend": settings["backend"], "precision": settings["precision"]}
