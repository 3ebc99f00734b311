"""``pip install .`` in an empty environment gives a ``siamtrt`` that tracks, outside of the checkout."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

from sequences.rendered.command import write_clip

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The files that git knows, so that no build folder is left in the checkout."""
    folder = tmp_path_factory.mktemp("source")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, listed):
        if (ROOT / name).is_file() and not name.startswith(("weights/", "docs/", "tests/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "clip"
    write_clip(folder, 1, 10)
    return folder


def empty_environment(python, folder):
    subprocess.run([python, "-m", "venv", str(folder)], check=True, capture_output=True)
    return folder / "bin"


def install(programs, *words):
    done = subprocess.run(
        [str(programs / "python"), "-m", "pip", "install", "--quiet", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and any(
        word in done.stderr
        for word in ("ConnectionError", "NewConnectionError", "ConnectTimeout", "NameResolutionError")
    ):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr


def track(programs, engines, clip, out):
    """What the installed command leaves."""
    box = (clip / "groundtruth.txt").read_text().split()[0]
    words = [
        "track",
        "--engines",
        str(engines),
        "--source",
        str(clip),
        "--init",
        ",".join(box.split(",")[:4]),
        "--threads",
        "1",
    ]
    command = [str(programs / "siamtrt"), *words, "--out", str(out)]
    done = subprocess.run(command, cwd=out.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (out / "boxes.txt").read_text().splitlines()


def test_on_a_board(source, tiny_engines, clip, tmp_path):
    installed = sorted(Path.home().glob(".pyenv/versions/3.8.*/bin/python"))  # python3.8 may be pyenv's, of no version
    python = str(installed[0]) if installed else shutil.which("python3.8")
    if python is None:
        pytest.skip("there is no Python 3.8 here")
    programs = empty_environment(python, tmp_path / "venv")
    install(programs, "--upgrade", "pip")  # that of 3.8 does not know the platforms of the wheels
    install(programs, f"{source}[board]")
    assert len(track(programs, tiny_engines, clip, tmp_path / "out")) == 10
    asked = subprocess.run([str(programs / "siamtrt"), "export", "--help"], capture_output=True, text=True, check=False)
    assert asked.returncode == 3
    assert "needs torch" in asked.stderr


def test_on_a_workstation(source, tiny_engines, clip, tmp_path):
    """The packages of the workstation are those of this environment: torch alone would be downloaded for minutes."""
    pytest.importorskip("torch", reason="needs the packages of a workstation")
    programs = empty_environment(sys.executable, tmp_path / "venv")
    (inner,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (inner / "packages.pth").write_text("\n".join(site.getsitepackages()))
    install(programs, "--no-deps", str(source))
    assert len(track(programs, tiny_engines, clip, tmp_path / "out")) == 10
    listed = subprocess.run(
        [str(programs / "siamtrt"), "networks", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "siamrpn_lite0" in listed.stdout
    broken = subprocess.run(
        [str(programs / "python"), "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert "siamtrt" not in broken.stdout
