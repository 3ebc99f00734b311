from __future__ import annotations

import torch

from networks import tracker
from networks.quick import ChannelCorrelation
from studies.training_speed import VARIANTS, _network, step_rate


def trained(network):
    return {name for name, weight in network.named_parameters() if weight.requires_grad}


def test_a_variant_trains_what_its_name_says():
    frozen, fixed = trained(_network(VARIANTS[0])), trained(_network(VARIANTS[-1]))
    assert not any(name.startswith("backbone.") for name in frozen)
    assert "backbone.features.9.conv.0.weight" in fixed
    assert "backbone.features.9.conv.3.weight" not in fixed


def test_the_quick_gradients_are_back_after_a_measurement_without_them(monkeypatch):
    monkeypatch.setattr("studies.training_speed._BATCH", 1)
    monkeypatch.setattr("studies.training_speed._STEPS", 1)
    torch.set_num_threads(1)
    assert step_rate(VARIANTS[0]) > 0
    assert tracker.ChannelCorrelation is ChannelCorrelation
