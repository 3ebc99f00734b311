from __future__ import annotations

import json

import pytest
import torch

pytest.importorskip("scipy", reason="searching needs requirements/architectures.txt")

from architectures.__main__ import COMMANDS
from architectures.archive import Archive, Judged
from architectures.cost import total
from architectures.rank import Ranked, agreement, alike_agreement, chance_level, spaced
from networks.lighttrack.architecture import parse
from networks.lighttrack.network import LightTrack
from siamtrt import ArtifactError, UsageError, cli
from tests.training.data import write_videos

MEMBERS = [
    f"back_0{digits}{'0' * 16}0+cls_0{tower}2222222+reg_002222222_ops_20" for digits in ("44", "40") for tower in "01"
]
SMALLEST = f"back_000{'0' * 16}0+cls_002222222+reg_002222222_ops_20"
CONFIG = """
steps = 1
validate_steps = 1
validation_pairs = 2
kind = "supernet"
validation = ["held", "apart"]
batch = 2
[[data.sources]]
kind = "videos"
path = "videos"
"""


def test_the_agreement_of_two_rankings():
    one, other = (0.50, 0.52, 0.55, 0.51, 0.58, 0.60), (0.61, 0.60, 0.66, 0.63, 0.65, 0.70)
    assert agreement(one, other) == pytest.approx(0.6)
    assert agreement((1, 1, 1), (1, 2, 3)) is None


def test_larger_networks_do_not_count_as_ranked_among_their_like():
    sizes = [Ranked("", inherited, inherited, macs) for inherited, macs in ((0.5, 100), (0.6, 200), (0.7, 400))]
    assert alike_agreement(sizes) == (None, 0)
    alike = [*sizes, Ranked("", 0.55, 0.45, 105), Ranked("", 0.7, 0.8, 362)]
    assert alike_agreement(alike) == (-0.5, 2)  # one pair out of order, one equal by a measure


@pytest.mark.parametrize(("count", "level"), [(8, 0.566), (12, 0.433), (20, 0.318)])
def test_few_networks_agree_by_chance(count, level):
    assert chance_level(count) == pytest.approx(level, abs=1e-3)


def test_networks_of_every_size_are_ranked():
    judged = [Judged(str(index), (0.5,), index, 1, None, 0.1) for index in range(40)]
    assert [one.macs for one in spaced(judged, 1)] == [5, 15, 25, 35]
    assert len({one.macs // 10 for one in spaced(judged, 3)}) == 4
    with pytest.raises(UsageError, match="40 networks were judged, 44 are wanted"):
        spaced(judged, 11)


def test_a_folder_without_a_search_is_named(tmp_path, capsys):
    words = ["rank", "--search", "nowhere", "--weights", "w.pth", "--config", "c.toml", "--data", ".", "--out", "out"]
    assert cli.run_table("architectures", "", COMMANDS, words) == ArtifactError.exit_code
    assert "there is no search in nowhere" in capsys.readouterr().err


@pytest.mark.slow
def test_networks_are_trained_alone_and_a_rerun_trains_none_again(tmp_path, capsys):
    write_videos(tmp_path / "videos", names=("one", "two", "held", "apart"))
    torch.manual_seed(0)
    torch.save(LightTrack(parse(MEMBERS[1])).state_dict(), tmp_path / "weights.pth")
    (tmp_path / "config.toml").write_text(CONFIG)
    archive = Archive(tmp_path / "search" / "archive.jsonl")
    for name in MEMBERS:
        archive.add(Judged(name, (0.5,), total(parse(name)).macs, 1, None, 0.1))
    places = {"--search": "search", "--weights": "weights.pth", "--config": "config.toml", "--data": "", "--out": "out"}
    words = ["rank", "--each", "1", "--pairs", "2"]
    words += [word for option, name in places.items() for word in (option, str(tmp_path / name))]
    assert cli.run_table("architectures", "", COMMANDS, words) == 0
    ranking = (tmp_path / "out" / "ranking.json").read_bytes()
    assert [row["architecture"] for row in json.loads(ranking)["networks"]] == sorted(
        MEMBERS, key=lambda name: total(parse(name)).macs
    )
    states = {path: path.stat().st_size for path in (tmp_path / "out").rglob("state.pth")}
    assert len(states) == 4
    assert cli.run_table("architectures", "", COMMANDS, words) == 0
    assert (tmp_path / "out" / "ranking.json").read_bytes() == ranking
    assert "by chance within" in capsys.readouterr().out
    archive.add(Judged(SMALLEST, (0.5,), total(parse(SMALLEST)).macs, 1, None, 0.1))
    assert cli.run_table("architectures", "", COMMANDS, words) == ArtifactError.exit_code
    assert "network_00 holds results for another request: architecture differ" in capsys.readouterr().err
