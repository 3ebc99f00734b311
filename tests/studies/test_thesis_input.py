"""The folding of the input's normalisation is undone as it was made, and nothing else differs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from networks.checkpoint import read_state
from studies.thesis_input import AS_IT_WAS, UNDONE, start_state

WEIGHTS = Path("weights/siamrpn_lite0.pth")


@pytest.fixture(scope="module")
def states():
    return {stem: start_state(WEIGHTS, stem, seed=3) for stem in (AS_IT_WAS, UNDONE)}


def test_the_undone_stem_says_of_normalised_rgb_what_the_folded_one_says_of_bgr(states):
    bgr = 255 * torch.rand(1, 3, 33, 33, generator=torch.Generator().manual_seed(0))
    folded, undone = (said(states[AS_IT_WAS], bgr), said(states[UNDONE], (bgr.flip(1) - 127) / 128))
    assert (folded - undone).abs().max() < 1e-4 * folded.abs().max()
    assert said(states[UNDONE], bgr).abs().max() > 20 * folded.abs().max()


def test_both_arms_start_alike_but_for_the_stem(states):
    differing = {key for key in states[UNDONE] if not torch.equal(states[UNDONE][key], states[AS_IT_WAS][key])}
    assert differing == {"backbone.stem.0.weight", "backbone.stem.0.bias"}
    trunk = {key: value for key, value in read_state(WEIGHTS).items() if key.startswith("backbone.")}
    assert all(torch.equal(states[AS_IT_WAS][key], value.float()) for key, value in trunk.items())
    heads = [key for key in states[UNDONE] if key.startswith("rpn_head.") and key.endswith("weight")]
    assert any(not torch.equal(states[UNDONE][key], read_state(WEIGHTS)[key].float()) for key in heads)


def said(state, image):
    return F.conv2d(image, state["backbone.stem.0.weight"], state["backbone.stem.0.bias"], stride=2)
