"""A search of a small LightTrack's shrunk versions on drawn videos."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import pytest
import torch

pytest.importorskip("pymoo", reason="searching needs requirements/architectures.txt")

from architectures.__main__ import COMMANDS
from architectures.archive import Judged
from architectures.cost import total
from architectures.judge import Request, judge, open_bench
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


class Judging:
    """Judgements that cost nothing and follow from the name of the network and the split; it dies at one of them."""

    def __init__(self, dies_at=None):
        self.dies_at, self.judged = dies_at, []

    def __call__(self, request, text):
        if len(self.judged) == self.dies_at:
            raise KeyboardInterrupt
        self.judged.append((request.split, text))
        overlap = zlib.crc32(f"{request.split} {text}".encode()) / 2**32
        cost = total(parse(text))
        return Judged(text, (overlap, overlap), cost.macs, cost.parameters, None, 0.1)


@pytest.fixture
def small_bench(data, monkeypatch):
    """Norms are measured on a single pair."""
    bench = open_bench(Request(data / "weights.pth", True, data / "config.toml", data, 2))
    template, crop = bench.measuring[0]
    bench = replace(bench, measuring=[(template[:1], crop[:1])])
    monkeypatch.setattr("architectures.search.open_bench", lambda _: bench)


@pytest.mark.usefixtures("small_bench")
def test_a_search_that_dies_at_any_judgement_goes_on_to_the_same_end_and_repeats_none(
    data, tmp_path, capsys, monkeypatch
):
    whole = Judging()
    monkeypatch.setattr("architectures.search.judge", whole)
    assert search(data, tmp_path / "whole") == 0
    front = (tmp_path / "whole" / "front.json").read_bytes()
    assert len(capsys.readouterr().out.splitlines()) == len(json.loads(front)["front"])
    assert {split for split, _ in whole.judged} == {"A", "B"}
    for survived in range(len(whole.judged)):
        out, killed, again = tmp_path / str(survived), Judging(survived), Judging()
        monkeypatch.setattr("architectures.search.judge", killed)
        assert search(data, out) == cli.INTERRUPTED
        assert not (out / "front.json").exists()
        monkeypatch.setattr("architectures.search.judge", again)
        assert search(data, out) == 0
        assert (out / "front.json").read_bytes() == front
        assert killed.judged + again.judged == whole.judged


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A search in one process."""
    out = tmp_path_factory.mktemp("whole")
    assert search(data, out) == 0
    return out


@pytest.mark.slow
def test_a_search_leaves_what_its_manifest_names_and_a_checkpoint_of_its_front(whole):
    document = json.loads((whole / "front.json").read_text())
    assert document["judged"] == 6
    assert {"networks.png", "front.png", "best.pth"} <= set(Manifest.load(whole, stage="architectures").files)
    best = load("lighttrack_mobile", whole / "best.pth")
    assert best.architecture in {row["architecture"] for row in document["front"]}


@pytest.mark.slow
def test_a_search_in_two_processes_ends_as_one_in_a_single_process_does(data, whole, tmp_path):
    assert search(data, tmp_path, "--jobs", 2) == 0
    assert (tmp_path / "front.json").read_bytes() == (whole / "front.json").read_bytes()


@pytest.mark.slow
def test_a_search_on_a_cluster_ends_as_one_in_a_single_process_does(data, whole, tmp_path):
    pytest.importorskip("distributed", reason="clusters need requirements/fleet.txt")
    assert search(data, tmp_path, "--workers", 2) == 0
    assert (tmp_path / "front.json").read_bytes() == (whole / "front.json").read_bytes()


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
