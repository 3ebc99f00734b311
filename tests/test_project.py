"""What holds for the project as a whole."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

import siamtrt

ROOT = Path(__file__).parents[1]
_PROJECT = (ROOT / "pyproject.toml").read_text()
ROOMS = re.findall(r'"(\w+)"', re.search(r"root_packages = \[(.*?)\]", _PROJECT, re.DOTALL).group(1))
WITH_TORCH = {"networks", "export", "training", "architectures", "studies"}
_IMPORT_ALL = """
import importlib, pkgutil, sys
for room in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(room).__path__, room + "."):
        importlib.import_module(module.name)
print(sorted({"torch", "networks", "export", "training", "architectures", "studies"} & set(sys.modules)))
"""


def test_no_test_may_hang(request):
    assert request.config.pluginmanager.hasplugin("timeout")
    assert float(request.config.getini("timeout")) > 0
    pins = [(ROOT / "requirements" / name).read_text() for name in ("dev.txt", "board-tests.txt")]
    assert all("pytest-timeout==" in text for text in pins)


@pytest.mark.parametrize("room", sorted(set(ROOMS) - WITH_TORCH))
def test_rooms_come_from_this_checkout(room):
    assert Path(importlib.import_module(room).__file__).parents[1] == ROOT


def test_no_module_of_the_board_brings_torch_or_a_room_that_has_it():
    rooms = sorted(set(ROOMS) - WITH_TORCH)
    command = [sys.executable, "-c", _IMPORT_ALL, *rooms]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_wheel_holds_every_room_and_every_file_that_a_room_reads():
    tables = tomllib.loads(_PROJECT)["tool"]["setuptools"]
    assert set(tables["packages"]["find"]["include"]) == {f"{room}*" for room in ROOMS}
    patterns = tables["package-data"]["*"]
    listed = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in map(Path, listed.split()):
        if path.suffix == ".py":
            assert (ROOT / path.parent / "__init__.py").is_file(), f"{path} is in no package"
            continue
        package = next(folder for folder in path.parents if (ROOT / folder / "__init__.py").is_file())
        name = path.relative_to(package)
        assert any(name.match(pattern) and len(Path(pattern).parts) == len(name.parts) for pattern in patterns), path


def test_public_names_are_sorted_and_there():
    assert siamtrt.__all__ == sorted(siamtrt.__all__, key=lambda name: (name != name.upper(), name))
    for name in siamtrt.__all__:
        assert hasattr(siamtrt, name)


def test_no_file_names_this_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".txt", ".json") or path.name == "Makefile":
            assert f"{ROOT.parent}/" not in path.read_text(encoding="utf-8"), name
