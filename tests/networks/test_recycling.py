"""What a stage takes of the stage before, beside its maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from export.parity import TOLERANCE
from export.write import write
from networks import models
from networks.checkpoint import load
from networks.exits import HIDDEN, MAPS, NECK, ExitSiamRPN, with_exits
from networks.models import MODELS
from networks.seeded import seeded
from networks.texture import smooth_noise
from siamtrt.card import TrackerConstants
from tests.networks.thin import thin_siamrpn

CROPS = smooth_noise(127, count=2, seed=1), smooth_noise(255, count=2, seed=2)


@pytest.fixture(autouse=True)
def thin_model(monkeypatch):
    base = models.ModelSpec(
        build=lambda state: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="test")
    )
    monkeypatch.setitem(MODELS, "thin", base)


def recycled(way, *, trained=True):
    network = seeded("thin", 0)
    network.rpn_head.cls_weight.data = torch.tensor([0.3, 2.0, -1.0])
    exits = ExitSiamRPN(network, recycling=way).eval()
    torch.manual_seed(0)
    for name, parameter in exits.exits.named_parameters():
        if trained and name.startswith(way):
            parameter.data = torch.randn_like(parameter) * 0.3
    return exits


@torch.no_grad()
@pytest.mark.parametrize("way", [HIDDEN, NECK])
def test_before_it_is_trained_recycling_changes_nothing(way):
    plain = recycled(MAPS).exit_maps(*CROPS)
    for one, other in zip(recycled(way, trained=False).exit_maps(*CROPS), plain, strict=True):
        torch.testing.assert_close(one.maps, other.maps, atol=1e-6, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("way", [HIDDEN, NECK])
def test_recycling_changes_every_exit_but_the_first_and_the_last_exit_is_the_whole_network(way):
    exits = recycled(way)
    plain, found = recycled(MAPS).exit_maps(*CROPS), exits.exit_maps(*CROPS)
    torch.testing.assert_close(found[0].maps, plain[0].maps, atol=0, rtol=0)
    for number in (1, 2):
        assert not torch.allclose(found[number].maps["cls"], plain[number].maps["cls"], rtol=1e-2)
    for kind, whole in zip(("cls", "loc"), exits(*CROPS), strict=True):
        torch.testing.assert_close(found[-1].maps[kind], whole, atol=0, rtol=0)


@torch.no_grad()
def test_hidden_features_of_the_stage_before_are_added_channel_by_channel():
    exits, plain = recycled(HIDDEN), recycled(MAPS).exit_maps(*CROPS)
    found = exits.exit_maps(*CROPS)
    first, second = (exits.exits.hidden_loc[number].reshape(1, -1, 1, 1) for number in ("2", "3"))
    middle = plain[1].hidden["loc"] + first * plain[0].hidden["loc"]
    torch.testing.assert_close(found[1].hidden["loc"], middle)
    torch.testing.assert_close(found[2].hidden["loc"], plain[2].hidden["loc"] + second * middle)
    head = exits.head("3", "loc").head[3]
    torch.testing.assert_close(found[1].level["loc"], functional.conv2d(middle, head.weight, head.bias))


@torch.no_grad()
def test_the_neck_of_the_stage_before_is_one_half_of_what_the_convolution_sees():
    exits, (_, crop) = recycled(NECK), CROPS
    first, second, _ = exits.level_features(crop)
    branch = exits.head("3", "cls").conv_search
    own = functional.conv2d(second, branch[0].weight) + functional.conv2d(first, exits.exits.neck_cls["2"])
    torch.testing.assert_close(exits.search(crop)["feature_cls3"], branch[1:](own), atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("way", [HIDDEN, NECK])
def test_folding_changes_no_exit_that_recycles(way):
    exits = recycled(way)
    before = exits.exit_maps(*CROPS)
    exits.fold()
    for old, new in zip(before, exits.exit_maps(*CROPS), strict=True):
        torch.testing.assert_close(new.maps, old.maps, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("way", [MAPS, HIDDEN, NECK])
def test_a_checkpoint_says_how_its_exits_recycle(way, tmp_path):
    exits = recycled(way)
    torch.save(exits.state_dict(), tmp_path / "exits.pth")
    loaded = load("thin", tmp_path / "exits.pth")
    assert isinstance(loaded, ExitSiamRPN)
    assert loaded.recycling == way
    for one, other in zip(exits.exit_maps(*CROPS), loaded.exit_maps(*CROPS), strict=True):
        torch.testing.assert_close(one.maps, other.maps, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("way", "search", "xcorr"), [(HIDDEN, set(), {"hidden_cls_1", "hidden_loc_1"}), (NECK, {"neck_1"}, set())]
)
def test_graphs_hand_on_what_is_recycled_and_nothing_else(way, search, xcorr, tmp_path):
    card = write(recycled(way), "thin", tmp_path, checkpoint=None, command="", exits=True)
    assert max(card.parity.values()) <= TOLERANCE
    for role, names in (("search", search), ("xcorr", xcorr)):
        out = {spec.name for spec in card.graph(f"{role}_1").outputs}
        into = {spec.name for spec in card.graph(f"{role}_2").inputs}
        assert {name for name in out if name.startswith(("hidden_", "neck_"))} == names
        assert {name for name in into if name.startswith(("hidden_", "neck_"))} == names
    assert not {spec.name for spec in card.graph("xcorr_3").outputs} - {"cls", "loc", "exit_3"}


def test_a_neck_that_is_recycled_costs_as_much_again_as_the_convolutions_that_see_it(tmp_path):
    ways = {
        way: write(recycled(way), "thin", tmp_path / way, checkpoint=None, command="", exits=True)
        for way in (MAPS, HIDDEN, NECK)
    }
    macs = {way: np.array(card.stage_macs(card.search)) for way, card in ways.items()}
    assert (macs[HIDDEN] == macs[MAPS]).all()
    added = 2 * 29 * 29 * 8 * 8 * 9  # two branches of 8 channels
    assert (macs[NECK] - macs[MAPS]).tolist() == [0, added, added]


def test_exits_are_given_as_asked_where_a_checkpoint_says_nothing():
    assert with_exits(thin_siamrpn(), recycling=HIDDEN).recycling == HIDDEN


@torch.no_grad()
def test_readouts_change_all_exits_but_the_last_and_load_with_the_weights(tmp_path):
    plain = recycled(MAPS).exit_maps(*CROPS)
    exits = with_exits(seeded("thin", 0), readouts=True).eval()
    exits.load_state_dict(recycled(MAPS).state_dict(), strict=False)
    for name, parameter in exits.exits.named_parameters():
        if name.startswith("readout"):
            parameter.data = torch.randn_like(parameter)
    torch.save(exits.state_dict(), tmp_path / "exits.pth")
    found = load("thin", tmp_path / "exits.pth").exit_maps(*CROPS)
    for kind in ("cls", "loc"):
        torch.testing.assert_close(found[2].maps[kind], plain[2].maps[kind], atol=0, rtol=0)
        weight, bias = (getattr(exits.exits, name)["1"] for name in (f"readout_{kind}", f"readout_{kind}_bias"))
        wanted = plain[0].maps[kind] + functional.conv2d(plain[0].hidden[kind], weight, bias)
        torch.testing.assert_close(found[0].maps[kind], wanted)


@torch.no_grad()
def test_a_readout_is_folded_into_the_convolution_of_its_level():
    exits = with_exits(seeded("thin", 0), readouts=True).eval()
    for name, parameter in exits.exits.named_parameters():
        if name.startswith("readout"):
            parameter.data = torch.randn_like(parameter)
    before = exits.exit_maps(*CROPS)
    exits.fold()
    for old, new in zip(before, exits.exit_maps(*CROPS), strict=True):
        torch.testing.assert_close(new.maps, old.maps, atol=1e-5, rtol=1e-5)
