"""What holds for the project as a whole."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import siamtrt

ROOT = Path(__file__).parents[1]
BOARD = (
    "siamtrt",
    "engines.build",
    "runtime.track",
    "runtime.onnxruntime.locator",
    "benchmarks.__main__",
    "benchmarks.reports.demo",
)


@pytest.mark.parametrize("package", ["siamtrt", "engines", "runtime", "benchmarks", "calibration"])
def test_packages_come_from_this_checkout(package):
    assert Path(importlib.import_module(package).__file__).parents[1] == ROOT


def test_the_board_never_imports_torch():
    code = f"import sys, {', '.join(BOARD)}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


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
