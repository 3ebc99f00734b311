from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from networks.checkpoint import load
from networks.lighttrack.architecture import MOBILE, parse
from networks.lighttrack.norms import expand, recalibrate
from networks.lighttrack.space import ElasticSpace
from networks.lighttrack.supernet import ElasticSupernet, WholeSupernet, sort_channels
from networks.seeded import seeded
from networks.texture import smooth_noise
from networks.tracker import TrackerNetwork

SMALL = parse("back_04200304000220000000+cls_211022222+reg_100222222_ops_31")
OTHER = parse(f"back_0{'501423' * 3}0+cls_101222222+reg_202222222_ops_22")


def pairs(count=1, batch=2):
    return [(smooth_noise(127, count=batch, seed=n), smooth_noise(256, count=batch, seed=50 + n)) for n in range(count)]


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / (other.max() - other.min()))


@pytest.fixture(scope="module")
def varied():
    network = seeded("lighttrack_mobile", 0)
    torch.manual_seed(0)
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if "bn" in key or "BN" in key:
                parameter.mul_(torch.rand_like(parameter) + 0.5)
    return network


@pytest.fixture
def mobile(varied):
    return copy.deepcopy(varied)


def elastic(network):
    sort_channels(network)
    return ElasticSupernet(network)


def test_the_largest_member_computes_what_the_network_did(mobile):
    with torch.no_grad():
        before = mobile(*pairs()[0])
        supernet = elastic(mobile).eval()
        after, taken_out = supernet(*pairs()[0], parse(MOBILE)), supernet.member(parse(MOBILE))(*pairs()[0])
    for one, other, third in zip(before, after, taken_out, strict=True):
        assert relative(other, one) < 2e-4  # sums of up to 576 channels in another order
        assert relative(third, one) < 2e-4


def test_a_members_channels_are_those_that_matter_most(mobile):
    block = mobile.features.blocks[1][1]  # shrinks from 144 to 96 channels
    with torch.no_grad():
        strong = torch.zeros(144, dtype=torch.bool)
        strong[torch.arange(0, 144, 3)] = True  # 48 channels that matter
        block.conv_pwl.weight[:, ~strong] *= 1e-6
        kept = block.conv_dw.weight[strong].clone()
    cut = elastic(mobile).member(SMALL).features.blocks[1][1].conv_dw.weight  # 5x5 of 7x7
    middles = {tuple(np.round(row.flatten().tolist(), 5)) for row in cut}
    assert {tuple(np.round(row.flatten().tolist(), 5)) for row in kept[:, :, 1:6, 1:6]} <= middles
    assert cut.shape == (96, 1, 5, 5)


@pytest.mark.parametrize("architecture", [SMALL, parse(MOBILE)])
def test_a_member_of_its_own_computes_what_its_path_does(mobile, architecture):
    supernet = elastic(mobile).eval()
    with torch.no_grad():
        path, alone = supernet(*pairs()[0], architecture), supernet.member(architecture)(*pairs()[0])
    for one, other in zip(path, alone, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_every_member_of_the_elastic_space_can_be_taken_out(mobile):
    supernet, space, rng = elastic(mobile), ElasticSpace(parse(MOBILE)), np.random.default_rng(0)
    for _ in range(10):
        architecture = space.architecture(tuple(map(int, rng.integers(0, space.sizes))))
        assert supernet.member(architecture).architecture == str(architecture)


def test_training_a_path_moves_its_weights_alone_and_no_statistics(mobile):
    supernet = elastic(mobile).train()
    before = {key: tensor.clone() for key, tensor in supernet.state_dict().items()}
    cls, loc = supernet(*pairs()[0], SMALL)
    (cls.sum() + loc.sum()).backward()
    for key, tensor in supernet.state_dict().items():
        torch.testing.assert_close(tensor, before[key], atol=0, rtol=0)
    gradient = supernet.module.features.blocks[1][1].conv_dw.weight.grad
    assert gradient[:96, :, 1:6, 1:6].abs().sum() > 0
    assert gradient[96:].abs().sum() == gradient[:, :, :1].abs().sum() == 0
    assert supernet.module.features.blocks[4][2].conv_pw.weight.grad is None  # behind the output


def test_the_state_of_an_elastic_supernet_is_a_checkpoint_of_its_largest_member(mobile, tmp_path):
    supernet = elastic(mobile)
    torch.save(supernet.state_dict(), tmp_path / "supernet.pth")
    network = load("lighttrack_mobile", tmp_path / "supernet.pth")
    for key, tensor in network.named_parameters():
        torch.testing.assert_close(tensor, supernet.state_dict()[f"module.{key}"])


def test_the_whole_supernet_trains_the_modules_of_one_path_and_no_others():
    torch.manual_seed(0)
    supernet = WholeSupernet().train()
    cls, loc = supernet(*pairs()[0], OTHER)
    (cls.sum() + loc.sum()).backward()
    used = {key for key, parameter in supernet.named_parameters() if parameter.grad is not None}
    assert {key.split(".")[1] for key in used if key.startswith("choices.")} == {
        f"{stage}_{place}_{digit}" for stage, digits in enumerate(OTHER.stages) for place, digit in enumerate(digits)
    }
    assert {key.split(".")[1] for key in used if key.startswith("layers.")} == {
        "cls_192_0_3",
        "cls_192_1_5",
        "reg_256_0_3",
    }
    assert supernet.member(OTHER).architecture == str(OTHER)


class Norm(TrackerNetwork):
    """A convolution and its norm on both crops."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)

    def template(self, crop):
        return {"kernel": self.norm(self.conv(crop))}

    def search(self, crop):
        return {"feature": self.norm(self.conv(crop))}

    def correlate(self, features, kernels):
        return features["feature"], kernels["kernel"]

    def fold(self):
        pass


def test_expanded_norms_change_nothing_but_what_a_batch_does_to_them():
    torch.manual_seed(0)
    network = Norm().eval()
    torch.nn.init.uniform_(network.norm.weight, 0.5, 2)
    crops = [(torch.rand(8, 3, 16, 16) * 255, torch.rand(8, 3, 32, 32) * 255) for _ in range(4)]
    with torch.no_grad():
        before = network(*crops[0])
        expand(network, crops)
        after, in_training = network(*crops[0]), network.train()(*crops[0])
    for one, other, trained in zip(before, after, in_training, strict=True):
        torch.testing.assert_close(other, one, atol=1e-3, rtol=1e-4)
        assert relative(trained, one) < 0.2  # it was over 100 before


def test_recalibration_takes_the_plain_mean_of_the_batches():
    torch.manual_seed(0)
    network = Norm()
    crops = [(torch.rand(4, 3, 16, 16), 3 * torch.rand(4, 3, 16, 16)) for _ in range(5)]
    recalibrate(network, crops)
    inputs = [network.conv(crop) for both in crops for crop in both]
    torch.testing.assert_close(network.norm.running_mean, torch.stack([x.mean((0, 2, 3)) for x in inputs]).mean(0))
    torch.testing.assert_close(network.norm.running_var, torch.stack([x.var((0, 2, 3)) for x in inputs]).mean(0))
    assert network.norm.momentum == 0.1
    assert not network.training


def test_the_published_weights_keep_their_maps_when_their_norms_are_expanded(reference_data):
    network = load("lighttrack_mobile", reference_data / "weights/lighttrack_mobile/lighttrack_mobile_folded_fp16.pth")
    crops = pairs()[0]
    with torch.no_grad():
        before = network(*crops)
        expand(network, pairs(2, batch=4))
        after = network(*crops)
    for one, other in zip(before, after, strict=True):
        assert relative(other, one) < 1e-4
    assert float(network.features.bn1.running_var.min()) != pytest.approx(1, abs=1e-3)
