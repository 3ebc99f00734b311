"""What the set-up does on a machine whose Python is too old, or where a package cannot be installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "make_venv.sh"
# A python that says whether it is new enough, makes a .venv of copies of itself, and whose pip fails where told.
_PYTHON = """#!/bin/sh
case "$*" in
  -V) echo "Python {version}" ;;
  -c*) test {version} != 3.10.13 ;;
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && test ! -f no-venv ;;
  *) echo "$*" >> installed.txt; test ! -f no-pip ;;
esac
"""


@pytest.fixture
def folder(tmp_path):
    if shutil.which("sh") is None:
        pytest.skip("needs sh")
    for version in ("3.10.13", "3.11.7"):
        python = tmp_path / f"python{version}"
        python.write_text(_PYTHON.format(version=version))
        python.chmod(0o755)
    (tmp_path / "pins.txt").write_text("torch==2.0.0\nnumpy==1.0\n")
    return tmp_path


def set_up(folder, version="3.11.7", *words):
    command = ["sh", SCRIPT, f"./python{version}", "pins.txt", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_an_old_python_is_refused_before_anything_is_made(folder):
    done = set_up(folder, "3.10.13")
    assert done.returncode == 2
    assert "Python 3.11 or newer is needed, ./python3.10.13 is Python 3.10.13: BASE_PYTHON=" in done.stderr
    assert not (folder / ".venv").exists()


def test_an_environment_of_an_old_python_is_made_anew(folder):
    (folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(folder / "python3.10.13", folder / ".venv" / "bin" / "python")
    assert set_up(folder).returncode == 0
    assert "3.11.7" in (folder / ".venv" / "bin" / "python").read_text()


@pytest.mark.parametrize("fault", ["no-venv", "no-pip"])
def test_an_environment_that_failed_is_removed(folder, fault):
    (folder / fault).touch()
    assert set_up(folder).returncode != 0
    assert not (folder / ".venv").exists()


def test_an_environment_that_was_there_before_stays(folder):
    assert set_up(folder).returncode == 0
    (folder / "no-pip").touch()
    assert set_up(folder, "3.10.13").returncode == 1
    assert (folder / ".venv").exists()


def test_torch_without_cuda_is_installed_first_in_the_pinned_version(folder):
    assert set_up(folder, "3.11.7", "cpu").returncode == 0
    torch, rest = (folder / "installed.txt").read_text().splitlines()
    assert "torch==2.0.0 --index-url " in torch
    assert torch.endswith("/cpu")
    assert rest.endswith("-r pins.txt")
    assert "TORCH=gpu is unknown" in set_up(folder, "3.11.7", "gpu").stderr
