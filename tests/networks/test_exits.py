"""The golden values were computed once with numpy in float64, from the formulas alone."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from networks import models
from networks.checkpoint import load, read_state
from networks.exit_scores import GATE, KEEP, OVERLAP, PEAK, Gate, map_features, margins, pooled
from networks.exits import ExitSiamRPN, with_exits
from networks.models import MODELS, build
from networks.seeded import seeded
from networks.siamrpn import SiamRPN, weighted_sum
from networks.texture import smooth_noise
from siamtrt import ArtifactError, UsageError
from siamtrt.card import TrackerConstants
from siamtrt.files import sha256
from tests.networks.thin import thin_siamrpn

WEIGHTS = Path(__file__).parents[2] / "weights"
MAP = [[0.02, 0.05, 0.04], [0.1, 0.9, 0.3], [0.03, 0.2, 0.05]]


@pytest.fixture(autouse=True)
def thin_model(monkeypatch):
    base = models.ModelSpec(
        build=lambda state: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="test")
    )
    monkeypatch.setitem(MODELS, "thin", base)


@pytest.fixture
def network():
    network = seeded("thin", 0)
    network.rpn_head.cls_weight.data = torch.tensor([0.3, 2.0, -1.0])
    network.rpn_head.loc_weight.data = torch.tensor([-0.4, 0.1, 1.0])
    return network


@pytest.fixture
def crops():
    return smooth_noise(127, count=2, seed=1), smooth_noise(255, count=2, seed=2)


def trained(network):
    """Exits with gates and quality networks, and middle fusion weights of their own."""
    torch.manual_seed(0)
    exits = ExitSiamRPN(network, gates=True, qualities=True).eval()
    for kind in ("cls", "loc"):
        getattr(exits.exits, f"{kind}_weight")["2"].data = torch.tensor([0.7, -0.2])
    return exits


@torch.no_grad()
def test_the_last_exit_is_the_network_bit_for_bit(network, crops):
    whole = network(*crops)
    last = with_exits(network).exit_maps(*crops)[-1].maps
    for kind, expected in zip(("cls", "loc"), whole, strict=True):
        torch.testing.assert_close(last[kind], expected, atol=0, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", ["siamrpn_nano", "siamrpn_lite0", "siamrpn_mobilenetv2", "siamrpn_r50"])
def test_every_model_of_several_levels_has_its_last_exit_bit_for_bit(name):
    network, crops = build(name).eval(), (smooth_noise(127, seed=1), smooth_noise(255, seed=2))
    whole = network(*crops)
    last = with_exits(network).exit_maps(*crops)[-1].maps
    assert [torch.equal(last[kind], expected) for kind, expected in zip(("cls", "loc"), whole, strict=True)] == [
        True
    ] * 2


def test_the_shares_of_every_exit_sum_to_one(network):
    exits = trained(network)
    for kind in ("cls", "loc"):
        for number in (1, 2, 3):
            shares = exits.shares(kind, number)
            assert len(shares) == number
            assert shares.sum().item() == pytest.approx(1, abs=1e-6)


def test_an_exit_without_training_takes_the_levels_in_the_proportions_of_the_last(network):
    exits = with_exits(network)
    last, middle = exits.shares("cls", 3), exits.shares("cls", 2)
    torch.testing.assert_close(middle, last[:2] / last[:2].sum())


@torch.no_grad()
def test_folding_changes_no_exit(network, crops):
    exits = trained(network)
    before = exits.exit_maps(*crops)
    exits.fold()
    for old, new in zip(before, exits.exit_maps(*crops), strict=True):
        torch.testing.assert_close(new.maps, old.maps, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(new.scores, old.scores, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_an_exit_does_not_depend_on_later_levels(network, crops):
    exits = trained(network)
    before = exits.exit_maps(*crops)
    for name, parameter in exits.named_parameters():
        if any(part in name for part in ("widest", "downsample4", "rpn4")):
            parameter.fill_(float("nan"))
    after = exits.exit_maps(*crops)
    for number in (0, 1):
        torch.testing.assert_close(after[number].maps, before[number].maps, atol=0, rtol=0)
        torch.testing.assert_close(after[number].scores, before[number].scores, atol=0, rtol=0)
    assert after[2].maps["cls"].isnan().all()


def test_scores_are_named_and_between_0_and_1(network, crops):
    assert with_exits(copy.deepcopy(network)).score_names() == (PEAK,)
    exits = trained(network)
    assert exits.score_names() == exits.score_names(2) == (PEAK, GATE, OVERLAP, KEEP)
    assert exits.score_names(3) == (PEAK,)  # nobody is left to decide
    with torch.no_grad():
        for number, stage in enumerate(exits.exit_maps(*crops), start=1):
            assert stage.scores.shape == (2, len(exits.score_names(number)))
            assert ((stage.scores > 0) & (stage.scores < 1)).all()
            best = margins(stage.maps["cls"]).sigmoid().amax(1)
            torch.testing.assert_close(stage.scores[:, 0], best)


def test_a_checkpoint_brings_its_exits(network, crops, tmp_path):
    exits = trained(network)
    torch.save(exits.state_dict(), tmp_path / "exits.pth")
    loaded = load("thin", tmp_path / "exits.pth")
    assert isinstance(loaded, ExitSiamRPN)
    with torch.no_grad():
        for one, other in zip(exits.exit_maps(*crops), loaded.exit_maps(*crops), strict=True):
            torch.testing.assert_close(one.scores, other.scores, atol=0, rtol=0)


def test_a_checkpoint_that_lacks_a_part_of_an_exit_is_refused(network, tmp_path):
    state = trained(network).state_dict()
    del state["exits.gate.2.linear.weight"]
    torch.save(state, tmp_path / "exits.pth")
    with pytest.raises(ArtifactError, match=r"missing exits\.gate\.2\.linear\.weight"):
        load("thin", tmp_path / "exits.pth")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("siamrpn_alexnet", "one level"), ("nanotrack_v3", "only SiamRPN"), ("lighttrack_mobile", "only SiamRPN")],
)
def test_models_without_levels_have_no_exits(name, complaint):
    with pytest.raises(UsageError, match=complaint):
        with_exits(build(name))


def test_exits_are_not_given_twice(network):
    exits = with_exits(network)
    assert with_exits(exits) is exits
    assert isinstance(exits, SiamRPN)


def test_the_twelve_numbers_of_a_map():
    found = map_features(torch.tensor(MAP, dtype=torch.float64).reshape(1, 9))[0]
    expected = [5.706076, 0.675063, 0.9, 0.3, 0.2, 0.1, 0.05, 0.187778, 0.106433, 0.085039, 0.073991, 0.065917]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


def test_a_flat_map_has_no_peak_and_all_the_entropy():
    flat = map_features(torch.full((1, 625), 0.1, dtype=torch.float64))[0]
    assert flat[0].item() == pytest.approx(0, abs=1e-6)
    assert flat[1].item() == pytest.approx(1, abs=1e-6)


def test_the_gate_is_linear_in_the_twelve_numbers():
    gate = Gate().double()
    weights = [0.1, -2.0, 1.0, 0.5, 0.5, 0.5, 0.5, -1.0, 0.0, 0.0, 0.0, 0.0]
    gate.linear.weight.data, gate.linear.bias.data = torch.tensor([weights]).double(), torch.zeros(1).double()
    logit = gate.logits(map_features(torch.tensor(MAP, dtype=torch.float64).reshape(1, 9)))
    assert logit.item() == pytest.approx(0.257703, abs=1e-6)
    assert logit.sigmoid().item() == pytest.approx(0.564072, abs=1e-6)


def test_features_are_standardised_by_what_was_measured():
    gate = Gate()
    rows = torch.randn(50, 12) * 3 + 5
    rows[:, 4] = 2.0  # never varies
    gate.measure(rows)
    standardised = gate.standardised(rows)
    torch.testing.assert_close(standardised.mean(0), torch.zeros(12), atol=1e-5, rtol=0)
    assert standardised.isfinite().all()


def test_folding_a_gate_changes_nothing_that_it_says():
    gate, rows = Gate(), torch.rand(50, 12) * 3 + 5
    gate.measure(rows)
    before = gate.logits(rows)
    gate.fold()
    assert gate.first.bias.item() != 0
    torch.testing.assert_close(gate.logits(rows), before, atol=1e-4, rtol=1e-4)


def test_pooling_is_soft():
    pooled_value = pooled(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[[[1.0, -1.0, 3.0]]]]))
    assert pooled_value.item() == pytest.approx(0.855630, abs=1e-6)


def test_fusion_of_one_two_and_three_maps():
    logits, maps = torch.tensor([0.2, -0.1, 0.3]).double(), [torch.tensor(v).double() for v in (1.0, 2.0, 4.0)]
    fused = [weighted_sum(maps[:k], torch.softmax(logits[:k], 0)).item() for k in (1, 2, 3)]
    assert fused == pytest.approx([1, 1.425557, 2.425280], abs=1e-6)


def test_the_shipped_exits_leave_the_shipped_network_as_it_is():
    shipped, with_them = (WEIGHTS / f"siamrpn_nano{end}.pth" for end in ("", "-exits"))
    if sha256(shipped) not in with_them.with_suffix(".md").read_text(encoding="utf-8"):
        pytest.skip("the exits are of earlier weights: training/configs/siamrpn_nano_exits_fixed.toml makes others")
    whole, found = read_state(shipped), read_state(with_them)
    assert {key for key in found if key not in whole} == {key for key in found if key.startswith("exits.")}
    assert all(torch.equal(found[key], value) for key, value in whole.items())
    assert load("siamrpn_nano", with_them).score_names() == (PEAK, GATE, OVERLAP, KEEP)
