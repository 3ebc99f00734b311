"""What a judgement of a member looks at: the videos of its split, with norms measured on training pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from architectures.judge import MODEL, Request, open_bench, split_videos
from networks.lighttrack.architecture import parse
from networks.lighttrack.network import LightTrack
from tests.training.data import write_videos
from training.config import Config
from training.place import CPU
from training.tasks.ban import PointData

LARGEST = parse(f"back_01{'0' * 17}0+cls_012222222+reg_002222222_ops_20")
SMALLEST = parse(f"back_0{'0' * 18}0+cls_002222222+reg_002222222_ops_20")
HELD_OUT = {"A": ("first", "third"), "B": ("second", "fourth")}
CONFIG = """
steps = 1
model = "lighttrack_mobile"
kind = "supernet"
validation = ["first", "second", "third", "fourth"]
batch = 2
[[data.sources]]
kind = "videos"
path = "videos"
"""


@pytest.fixture(scope="module")
def request_for(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_videos(root / "videos", names=("one", "first", "second", "third", "fourth"))
    torch.manual_seed(0)
    torch.save(LightTrack(LARGEST).state_dict(), root / "supernet.pth")
    (root / "config.toml").write_text(CONFIG)
    return Request(root / "supernet.pth", True, root / "config.toml", root, 3)


@pytest.mark.parametrize("split", ["A", "B"])
def test_a_split_is_judged_on_every_second_video_and_on_no_other(request_for, split):
    config = Config.load(request_for.config)
    assert split_videos(config, split) == HELD_OUT[split]
    data = replace(config.data, validation=HELD_OUT[split], validation_pairs=3)
    (wanted,) = PointData(replace(config, data=data), request_for.data, CPU, MODEL).held_out
    (judged,) = open_bench(replace(request_for, split=split)).held_out.held_out
    assert torch.equal(judged.search, wanted.search)
    assert torch.equal(judged.boxes, wanted.boxes)


def test_a_member_is_judged_with_the_statistics_of_the_pairs_that_are_trained_on(request_for):
    bench = open_bench(request_for)
    trained_on = PointData(Config.load(request_for.config), request_for.data, CPU, MODEL).measuring()
    assert all(torch.equal(one[1], other[1]) for one, other in zip(bench.measuring, trained_on, strict=True))
    inherited, member = bench.supernet.member(SMALLEST), bench.member(SMALLEST)
    with torch.no_grad():
        maps = [inherited.features.conv_stem(inherited.normalise(crop)) for pair in trained_on for crop in pair]
    means = torch.stack([one.mean((0, 2, 3)) for one in maps])
    torch.testing.assert_close(member.features.bn1.running_mean, means.mean(0), atol=1e-3, rtol=1e-3)
    assert not torch.allclose(member.features.bn1.running_mean, inherited.features.bn1.running_mean, atol=1e-2)
