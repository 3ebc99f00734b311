"""What colcon reads: the packages in ros/, and the messages that the double was made of."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from serving.ros import serve
from siamtrt.version import VERSION
from tests.doubles.ros_definitions import DISTRIBUTIONS, services

ROS = Path(__file__).parents[3] / "ros"
PACKAGE, INTERFACES = ROS / "siamtrt_ros", ROS / "siamtrt_interfaces"
BUILD_TYPES = {PACKAGE: "ament_python", INTERFACES: "ament_cmake"}


@pytest.mark.parametrize("folder", [PACKAGE, INTERFACES], ids=lambda folder: folder.name)
def test_a_package_names_itself_its_version_and_how_it_is_built(folder):
    root = ElementTree.parse(folder / "package.xml").getroot()
    assert (root.tag, root.get("format")) == ("package", "3")
    assert (root.findtext("name"), root.findtext("version")) == (folder.name, VERSION)
    assert root.findtext("license") == "Apache-2.0"
    assert root.find("maintainer").get("email")
    assert root.findtext("export/build_type") == BUILD_TYPES[folder]


def test_every_package_that_the_node_imports_is_depended_on():
    depended = {one.text for one in ElementTree.parse(PACKAGE / "package.xml").getroot().findall("exec_depend")}
    from serving.ros.interfaces import _NAMES

    assert {module.partition(".")[0] for module in _NAMES.values()} | {"rclpy", "launch_ros"} <= depended


def test_ament_finds_the_resource_the_launch_file_and_the_entry_point():
    text = (PACKAGE / "setup.py").read_text()
    assert (PACKAGE / "resource" / "siamtrt_ros").is_file()
    assert '"track = siamtrt_ros.track:main"' in text
    assert (PACKAGE / "siamtrt_ros" / "track.py").is_file()
    assert "lib/siamtrt_ros" in (PACKAGE / "setup.cfg").read_text()
    assert re.search(rf'version="{re.escape(VERSION)}"', text)


def test_the_launch_file_passes_every_parameter_on():
    tree = ast.parse((PACKAGE / "launch" / "track.launch.py").read_text())
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert set(serve.PARAMETERS) <= constants


def test_the_services_are_those_that_are_generated():
    text = (INTERFACES / "CMakeLists.txt").read_text()
    assert set(re.findall(r'"srv/(\w+)\.srv"', text)) == set(services()) == {"Start", "Stop"}


@pytest.mark.parametrize("distribution", sorted(DISTRIBUTIONS))
def test_the_definitions_are_those_of_a_library_that_has_them(distribution):
    """Rosbags ships the messages of each distribution; vision_msgs, which it has not, it parses as they stand here."""
    typesys = pytest.importorskip("rosbags.typesys", reason="needs rosbags")
    store = typesys.get_typestore(typesys.Stores[f"ROS2_{distribution.upper()}"])
    theirs = {}
    for name, text in DISTRIBUTIONS[distribution].items():
        full = name.replace("/", "/msg/")
        theirs.update(typesys.get_types_from_msg(text, full))
    checked = 0
    for full, (_, fields) in theirs.items():
        if full in store.fielddefs:
            assert list(fields) == list(store.fielddefs[full][1]), full
            checked += 1
    assert checked >= 12
