from __future__ import annotations

import configparser
import os
import shlex
import subprocess

import cv2
import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from runtime.tracker import Tracker
from sequences.annotated import load_sequences
from siamtrt import BoundingBox, cli


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    """One sequence as OTB lays it out, one with corners as VOT does."""
    root = tmp_path_factory.mktemp("sequences")
    rng = np.random.default_rng(0)
    for name, inner in (("Coke", "img"), ("ants1", "color")):
        (root / name / inner).mkdir(parents=True)
        for number in range(1, 4):
            frame = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
            cv2.imwrite(str(root / name / inner / f"{number:04d}.png"), frame)
    (root / "Coke" / "groundtruth_rect.txt").write_text("40\t30\t50\t40\n" * 3)
    (root / "ants1" / "groundtruth.txt").write_text("40.25,30.5,90,32,88,70,42,71.125\n" * 3)
    (root / "ants1" / "occlusion.tag").write_text("0\n1\n0\n")
    return root


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", "vot-workspace", *map(str, argv)])


def trackers(workspace):
    """As the toolkit reads them, interpolation included."""
    registry = configparser.ConfigParser()
    registry.read(workspace / "trackers.ini")
    return {name: dict(registry[name]) for name in registry.sections()}


def test_the_workspace_holds_what_the_toolkit_looks_for(sequences, tiny_engines, tmp_path, capsys):
    out = tmp_path / "100 % workspace"
    assert (
        run("--engines", tiny_engines, "--sequences", sequences, "--out", out, "--tracker", "A+b", "--threads", 1) == 0
    )
    assert capsys.readouterr().out == f"{out}\n"
    assert (out / "config.yaml").read_text().splitlines() == [
        "registry:",
        "- ./trackers.ini",
        "sequences: sequences",
        "stack: vot2018/shortterm",
    ]
    (tracker,) = trackers(out).values()
    assert list(trackers(out)) == ["A_b"]  # the toolkit takes letters, digits, - and _ only
    assert (tracker["protocol"], tracker["timeout"], tracker["label"]) == ("trax", "180", "A_b")
    assert (out / "sequences" / "list.txt").read_text() == "Coke\nants1\n"
    coke = out / "sequences" / "Coke"
    assert (coke / "sequence").read_text() == "channels.color=color/%08d.png\nlength=3\n"
    assert (coke / "groundtruth.txt").read_text() == "40.0,30.0,50.0,40.0\n" * 3
    assert sorted(path.name for path in (coke / "color").iterdir()) == [f"0000000{number}.png" for number in (1, 2, 3)]
    source = sequences / "Coke" / "img" / "0002.png"
    assert (coke / "color" / "00000002.png").read_bytes() == source.read_bytes()
    assert (out / "sequences" / "ants1" / "occlusion.tag").read_text() == "0\n1\n0\n"


def test_our_own_runner_reads_the_same_sequences_there(sequences, tiny_engines, tmp_path):
    assert run("--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path) == 0
    found = load_sequences(tmp_path / "sequences")
    assert [sequence.regions for sequence in found] == [sequence.regions for sequence in load_sequences(sequences)]


def test_the_registered_command_is_a_tracker(sequences, tiny_engines, tmp_path):
    """Started as the toolkit does: from another folder, with the environment of the registry, both outputs in one."""
    assert run("--engines", tiny_engines, "--out", tmp_path / "w", "--threads", 1) == 0
    (tracker,) = trackers(tmp_path / "w").values()
    image = sequences / "ants1" / "color" / "0001.png"
    corners = "40.25,30.5,90,32,88,70,42,71.125"
    told = f'@@TRAX:initialize "{corners}"\n@@TRAX:frame "file://{image}"\n@@TRAX:frame "file://{image}"\n@@TRAX:quit\n'
    done = subprocess.run(
        shlex.split(tracker["command"]),
        input=told.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": tracker["env_pythonpath"]},
        timeout=60,
        check=True,
    )
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("@@TRAX:hello")
    with Tracker.open(tiny_engines, threads=1) as ours:
        pixels = cv2.imread(str(image))
        start = ours.start(pixels, BoundingBox.from_polygon([float(value) for value in corners.split(",")]))
        assert lines[1] == f'@@TRAX:state "{start.box}"'
        assert lines[2].startswith(f'@@TRAX:state "{ours.update(pixels).box}"')
    assert len(lines) == 3


def test_a_second_tracker_joins_and_a_rerun_changes_nothing(sequences, tiny_engines, tmp_path):
    argv = ["--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path]
    assert run(*argv, "--tracker", "first") == 0
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "kept").write_text("")
    before = sorted(tmp_path.rglob("*"))
    assert run(*argv, "--tracker", "first") == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert run(*argv, "--tracker", "second", "--stack", "vot2019/shortterm") == 0
    assert list(trackers(tmp_path)) == ["first", "second"]
    assert "stack: vot2019/shortterm" in (tmp_path / "config.yaml").read_text()
    assert (tmp_path / "results" / "kept").is_file()


def test_without_sequences_the_toolkit_fetches_its_own(tiny_engines, tmp_path):
    assert run("--engines", tiny_engines, "--out", tmp_path) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "trackers.ini"]


def test_bad_input_is_one_sentence(sequences, tiny_engines, tmp_path, capsys):
    assert run("--engines", tmp_path, "--out", tmp_path / "w") == 4
    assert "not a finished engines folder" in capsys.readouterr().err
    assert run("--engines", tiny_engines, "--sequences", tmp_path, "--out", tmp_path / "w") == 2
    assert "holds no sequence" in capsys.readouterr().err
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "trackers.ini").write_text("no section\n")
    assert run("--engines", tiny_engines, "--out", tmp_path / "w") == 4
    assert "not a registry of trackers" in capsys.readouterr().err
