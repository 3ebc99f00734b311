"""The quick gradients against torch's own."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import nn

from networks.quick import ChannelCorrelation, fix_depthwise
from networks.trunks.nano import NanoTrunk


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_correlation_and_its_gradients_equal_torchs(memory_format):
    torch.manual_seed(0)
    feature = torch.randn(2, 3, 14, 14, dtype=torch.float64).contiguous(memory_format=memory_format)
    kernel = torch.randn(2, 3, 1, 6, 6, dtype=torch.float64)
    feature.requires_grad_()
    kernel.requires_grad_()
    plain = F.conv2d(feature.reshape(1, 6, 14, 14), kernel.reshape(6, 1, 6, 6), groups=6).reshape(2, 3, 9, 9)
    found = ChannelCorrelation.apply(feature, kernel)
    torch.testing.assert_close(found, plain)
    weight = torch.randn_like(plain)
    wanted = torch.autograd.grad((plain * weight).sum(), (feature, kernel))
    gradients = torch.autograd.grad((found * weight).sum(), (feature, kernel))
    torch.testing.assert_close(gradients, wanted)
    assert gradients[0].is_contiguous(memory_format=memory_format)


def test_the_gradients_of_the_correlation_can_be_differentiated_again():
    torch.manual_seed(0)
    feature = torch.randn(2, 3, 7, 7, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(2, 3, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(ChannelCorrelation.apply, (feature, kernel))


def test_a_trunk_with_fixed_depthwise_layers_has_the_same_values_keys_and_other_gradients():
    torch.manual_seed(0)
    plain = NanoTrunk().double().eval()
    fixed = copy.deepcopy(plain)
    fix_depthwise(fixed)
    assert list(fixed.state_dict()) == list(plain.state_dict())
    crop = torch.rand(1, 3, 63, 63, dtype=torch.float64)
    maps = []
    for trunk in (plain, fixed):
        found = trunk(crop)
        sum(feature.square().mean() for feature in found).backward()
        maps.append(found)
    torch.testing.assert_close(*maps)
    left_out = 0
    for (name, one), other in zip(plain.named_parameters(), fixed.parameters(), strict=True):
        if other.requires_grad:
            torch.testing.assert_close(other.grad, one.grad, msg=name)
        else:
            assert other.grad is None
            left_out += 1
    assert left_out == 7  # the depthwise layers of blocks 3 to 9; the first two stride


def test_only_depthwise_layers_of_stride_one_are_fixed():
    layers = nn.Sequential(nn.Conv2d(4, 4, 3, 2, 1, groups=4, bias=False), nn.Conv2d(4, 8, 3, 1, 1, bias=False))
    fix_depthwise(layers)
    assert all(parameter.requires_grad for parameter in layers.parameters())
