"""A block that goes whole leaves its shortcut, and a checkpoint without it is a network without it."""

from __future__ import annotations

import pytest
import torch

from export.write import write
from networks.checkpoint import load
from networks.models import spec
from networks.seeded import seeded
from networks.texture import smooth_noise
from siamtrt import ArtifactError, UsageError
from siamtrt.files import sha256
from siamtrt.pruning import record_of
from tests.training.pruning.home import write_home
from training.config import Config
from training.pruning.allocate import Budget, allocate
from training.pruning.blocks import find_blocks, inside
from training.pruning.cut import cut_state, rebuilt
from training.pruning.groups import Group, Member, find_groups
from training.pruning.measure import Job, ScoreFile, measure
from training.pruning.proof import prove
from training.pruning.smaller import Order, cut_to

NAME = "siamrpn_nano"
BLOCKS = {"siamrpn_nano": 4, "nanotrack_v3": 4, "siamrpn_lite0": 6, "siamrpn_mobilenetv2": 10}
FAMILIES = [pytest.param(name, marks=pytest.mark.slow) if number > 4 else name for name, number in BLOCKS.items()]


@pytest.fixture(scope="module")
def network():
    return seeded(NAME, 3)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_home(tmp_path_factory.mktemp("blocks"))


@pytest.fixture(scope="module")
def cut(home):
    """Block 5 is worth nothing and goes, whatever else does."""
    scores = even_scores(home / "whole.pth", {"backbone.features.5": [0.0]})
    cut_to(Order(macs=0.9, variant="m90"), scores, home / "whole.pth", home / "cut", "python -m training.pruning cut")
    return home / "cut" / "pruned.pth"


def even_scores(start, more):
    groups = {group.name: [1.0] * group.width for group in find_groups(load(NAME, start), NAME)}
    return ScoreFile(NAME, sha256(start), "fisher", 0, 1, 1, {**groups, **more})


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_without_a_block_says_what_it_says_with_the_branch_at_zero(name):
    network = seeded(name, 3)
    blocks = find_blocks(network)
    assert len(blocks) == BLOCKS[name]
    crops = [smooth_noise(side, seed=side) for side in (spec(name).template_px, spec(name).search_px)]
    for block in (blocks[0], blocks[-1]):
        smaller = rebuilt(name, cut_state(network.state_dict(), [block], {block.name: ()}))
        hook = network.get_submodule(block.name).conv.register_forward_hook(lambda _module, _inputs, output: 0 * output)
        with torch.no_grad():
            wanted, got = network(*crops), smaller(*crops)
        hook.remove()
        for one, other in zip(got, wanted, strict=True):
            assert float((one - other).abs().max() / (other.max() - other.min())) < 1e-5
        prove(network, smaller, name, [block], {block.name: ()})
        assert sum(value.numel() for value in smaller.state_dict().values()) < sum(
            value.numel() for value in network.state_dict().values()
        )


def test_a_cheap_block_goes_with_all_that_lies_in_it():
    def group(name, width, *layers, branch=""):
        return Group(name, width, tuple(Member(*layer, tuple(range(width))) for layer in layers), branch)

    inner = group("b.conv.0", 32, ("b.conv.0", False), ("b.conv.1", True))
    outer = group("a", 16, ("a", False), ("b.conv.0", True), ("b.conv.1", False), ("c", True))
    block = group("b", 1, ("b.conv.0", False), ("b.conv.1", False), branch="b.conv")
    assert inside(block, inner)
    assert not inside(block, outer)
    widths = {"a": (3, 16), "b.conv.0": (16, 32), "b.conv.1": (32, 16), "c": (16, 8)}
    budget = Budget(lambda own: sum(one * other for one, other in own.values()), 200, "products")
    scores = {"b.conv.0": [1.0] * 32, "a": [1.0] * 16}
    kept = allocate([inner, outer, block], {**scores, "b": [0.5]}, widths, budget, 8)
    assert kept["b"] == kept["b.conv.0"] == ()
    assert len(kept["a"]) == 16
    with pytest.raises(UsageError, match="at their floors"):  # without a score it stays
        allocate([inner, outer, block], scores, widths, budget, 8)


def test_a_lost_block_is_in_the_record_and_the_checkpoint_loads_exports_and_is_cut_further(home, cut, tmp_path):
    record = record_of(cut)
    entries = {entry.name: entry for entry in record.groups}
    assert entries["backbone.features.5"].kept == entries["backbone.features.5.conv.0"].kept == ()
    assert entries["backbone.features.6"].kept == (0,)
    network = load(NAME, cut)
    assert len(find_blocks(network)) == 3
    card = write(network, NAME, tmp_path / "onnx", checkpoint=cut, command="python -m export")
    assert {graph.name: graph.macs for graph in card.graphs}["search"] == record.work_after["search"]["macs"]
    again = even_scores(cut, {"backbone.features.6": [0.0]})
    further = cut_to(Order(macs=0.7, variant="m70"), again, cut, tmp_path / "further", "python -m training.pruning cut")
    gone = {entry.name for entry in further.groups if not entry.kept}
    assert {"backbone.features.5", "backbone.features.5.conv.0", "backbone.features.6"} <= gone


def test_blocks_are_scored_where_pictures_are_seen(home, tmp_path):
    job = Job(
        model=NAME, start=home / "whole.pth", pairs=2, probes=1, batch=2, blocks=True, only=("backbone.features.6",)
    )
    scores = measure(job, Config.load(home / "c.toml"), home, tmp_path / "record.json")
    assert len(scores.groups["backbone.features.6"]) == 1
    assert scores.groups["backbone.features.6"][0] > 0
    with pytest.raises(UsageError, match="gamma scores no whole blocks"):
        Job(model=NAME, start=home / "whole.pth", mode="gamma", blocks=True)


def test_a_block_that_is_there_in_part_is_refused(tmp_path, network):
    state = {key: value for key, value in network.state_dict().items() if key != "backbone.features.5.conv.3.weight"}
    torch.save(state, tmp_path / "damaged.pth")
    with pytest.raises(ArtifactError, match=r"backbone\.features\.5\.conv\.3\.weight"):
        load(NAME, tmp_path / "damaged.pth")
