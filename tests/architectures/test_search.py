"""A search of a small LightTrack's shrunk versions on drawn videos."""

from __future__ import annotations

import importlib.util
import json

import pytest
import torch

pytest.importorskip("pymoo", reason="searching needs requirements/architectures.txt")

from architectures.__main__ import COMMANDS
from architectures.judge import Request, judge
from architectures.search import Limits
from networks.checkpoint import load
from networks.lighttrack.architecture import parse
from networks.lighttrack.network import LightTrack
from networks.lighttrack.supernet import WholeSupernet
from siamtrt import Manifest, cli
from tests.training.data import write_videos

LARGEST = parse(f"back_044{'0' * 16}0+cls_012222222+reg_002222222_ops_20")
CONFIG = """
steps = 1
model = "lighttrack_mobile"
kind = "supernet"
validation = ["held", "apart"]
batch = 2
[[data.sources]]
kind = "videos"
path = "videos"
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_videos(root / "videos", names=("one", "two", "held", "apart"))
    torch.manual_seed(0)
    torch.save(LightTrack(LARGEST).state_dict(), root / "weights.pth")
    (root / "config.toml").write_text(CONFIG)
    return root


def search(data, out, *more):
    words = ["search", "--weights", data / "weights.pth", "--config", data / "config.toml", "--data", data]
    words += ["--out", out, "--pairs", 2, "--population", 3, "--generations", 2, *more]
    return cli.run_table("architectures", "", COMMANDS, [str(word) for word in words])


@pytest.mark.slow
def test_a_killed_search_and_one_in_processes_or_on_a_cluster_end_as_a_whole_one_does(data, tmp_path, capsys):
    assert search(data, tmp_path / "whole") == 0
    printed = capsys.readouterr().out.splitlines()
    whole = (tmp_path / "whole" / "front.json").read_bytes()
    rows = json.loads(whole)["front"]
    assert len(printed) == len(rows)
    assert {"networks.png", "front.png", "best.pth"} <= set(
        Manifest.load(tmp_path / "whole", stage="architectures").files
    )
    assert json.loads(whole)["judged"] == 6

    lines = (tmp_path / "whole" / "archive.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "claim.json").write_bytes((tmp_path / "whole" / "claim.json").read_bytes())
    (tmp_path / "killed" / "archive.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:40])
    assert search(data, tmp_path / "killed") == 0
    assert (tmp_path / "killed" / "front.json").read_bytes() == whole
    assert len((tmp_path / "killed" / "archive.jsonl").read_bytes().splitlines()) == len(lines)

    assert search(data, tmp_path / "two", "--jobs", 2) == 0
    assert (tmp_path / "two" / "front.json").read_bytes() == whole
    if importlib.util.find_spec("distributed"):
        assert search(data, tmp_path / "cluster", "--workers", 2) == 0
        assert (tmp_path / "cluster" / "front.json").read_bytes() == whole
    best = load("lighttrack_mobile", tmp_path / "whole" / "best.pth")
    assert best.architecture in {row["architecture"] for row in rows}


@pytest.mark.slow
def test_an_archive_is_not_mixed_with_another_request(data, tmp_path, capsys):
    assert search(data, tmp_path, "--strategy", "random", "--population", 1, "--generations", 1) == 0
    assert search(data, tmp_path, "--pairs", 3) == 4
    assert "pairs differ" in capsys.readouterr().err


def test_a_judgement_depends_on_its_arguments_alone(data):
    request = Request(data / "weights.pth", False, data / "config.toml", data, 2)
    smallest = f"back_0{'0' * 18}0+cls_002222222+reg_002222222_ops_20"
    one, other = judge(request, smallest), judge(request, smallest)
    assert one.overlaps == other.overlaps
    assert (one.macs, one.milliseconds) == (other.macs, None)
    assert len(one.overlaps) == 2


def test_a_supernet_of_the_whole_space_is_refused_by_its_name(data, tmp_path, capsys):
    with torch.device("meta"):
        keys = WholeSupernet().state_dict()
    torch.save({key: torch.zeros(1) for key in keys}, tmp_path / "whole.pth")
    words = ["search", "--supernet", tmp_path / "whole.pth", "--config", data / "config.toml", "--data", data]
    assert (
        cli.run_table("architectures", "", COMMANDS, [str(word) for word in [*words, "--out", tmp_path / "out"]]) == 2
    )
    assert "whole.pth is a supernet of the whole space" in capsys.readouterr().err


def test_a_limit_in_milliseconds_needs_a_table(data, tmp_path, capsys):
    assert search(data, tmp_path, "--limit-ms", 3) == 2
    assert "needs a latency table" in capsys.readouterr().err


def test_a_network_keeps_limits_or_does_not():
    assert Limits(None, None, None).allow(LARGEST, None)
    assert Limits(5.0, None, None).allow(LARGEST, 4.9)
    assert not Limits(5.0, None, None).allow(LARGEST, 5.1)
    assert not Limits(None, 100.0, None).allow(LARGEST, None)
    assert not Limits(None, None, 1000).allow(LARGEST, None)


def test_the_cost_of_an_architecture_is_shown_and_its_layers_are_drawn(capsys, tmp_path):
    words = ["show", str(LARGEST), "--draw", str(tmp_path / "network.png")]
    assert cli.run_table("architectures", "", COMMANDS, words) == 0
    assert (tmp_path / "network.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert shown.startswith(str(LARGEST))
    assert "blocks.3.0" in shown
    assert cli.run_table("architectures", "", COMMANDS, ["show", "nonsense"]) == 2


def test_the_carriers_are_checkpoints(tmp_path, capsys):
    assert cli.run_table("architectures", "", COMMANDS, ["carriers", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.split()
    assert load("lighttrack_mobile", tmp_path / "carrier_5.pth").architecture == printed[5]
