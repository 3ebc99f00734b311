from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from architectures.cost import Cost, block_cost, deployed_macs, parts, published_macs, total, tower_layers
from export.fold_norms import fold_norms
from export.graphs import trace
from export.to_onnx import to_onnx
from networks.lighttrack.architecture import MOBILE, Architecture, Block, Tower, parse
from networks.lighttrack.network import LightTrack
from siamtrt.work import macs

BLOCKS = {  # inputs, outputs, stride, side of the map: multiply-accumulates and parameters of choices 0 to 5
    (16, 24, 2, 128): (
        *((25_430_016, 5_568), (38_146_560, 9_864), (29_624_320, 6_592)),
        *((44_438_016, 11_400), (35_915_776, 8_128), (53_875_200, 13_704)),
    ),
    (40, 80, 2, 32): (
        *((10_211_840, 34_440), (15_329_280, 63_104), (10_867_200, 37_000)),
        *((16_312_320, 66_944), (11_850_240, 40_840), (17_786_880, 72_704)),
    ),
    (96, 96, 1, 16): (
        *((19_832_832, 153_120), (29_804_544, 284_880), (21_405_696, 159_264)),
        *((32_163_840, 294_096), (23_764_992, 168_480), (35_702_784, 307_920)),
    ),
}
WHOLE = {  # multiply-accumulates without the correlation, of the correlation, parameters
    MOBILE: (510_606_848, 1_572_864, 1_969_397),
    "back_04334411435410321040+cls_202112222+reg_002000002_ops_23": (338_039_552, 1_310_720, 1_097_357),
    "back_03234141523050352340+cls_011021002+reg_010110020_ops_10": (396_136_960, 10_485_760, 463_941),
    f"back_0{'0' * 18}0+cls_002222222+reg_002222222_ops_30": (199_185_664, 1_572_864, 639_933),
    f"back_0{'5' * 18}0+cls_211111111+reg_211111111_ops_33": (758_562_048, 1_572_864, 3_251_669),
    "back_03141304044200000000+cls_201101122+reg_100001222_ops_30": (399_902_208, 1_572_864, 1_296_933),
    "back_04200304000220000000+cls_211000022+reg_100000111_ops_32": (438_491_904, 1_572_864, 1_655_605),
    f"back_0{'0' * 18}0+cls_211000022+reg_100000111_ops_32": (405_951_744, 1_572_864, 1_604_541),
}


@pytest.mark.parametrize("place", BLOCKS)
def test_every_choice_of_a_block_costs_what_it_should(place):
    inputs, outputs, stride, side = place
    choices = [(kernel, expansion) for kernel in (3, 5, 7) for expansion in (4, 6)]
    costs = [block_cost(Block(inputs, outputs, *choice, stride), side) for choice in choices]
    assert tuple((cost.macs, cost.parameters) for cost in costs) == BLOCKS[place]


@pytest.mark.parametrize("text", WHOLE)
def test_whole_networks_cost_what_they_should(text):
    whole, correlation = total(parse(text)), parts(parse(text))["correlation"]
    assert (whole.macs - correlation.macs, correlation.macs, whole.parameters) == WHOLE[text]


def test_the_parts_of_the_published_network():
    costs = parts(parse(MOBILE))
    backbone = sum((cost for name, cost in costs.items() if name.startswith(("stem", "blocks"))), Cost())
    assert (backbone.macs, backbone.parameters) == (330_948_096, 1_252_656)
    towers = [
        sum((cost for name, cost in costs.items() if name.startswith(f"{b}_tower")), Cost()) for b in ("cls", "reg")
    ]
    assert [(tower.macs, tower.parameters) for tower in towers] == [(97_091_584, 382_336), (78_102_528, 308_160)]
    assert [costs[f"{branch}_pred"].macs for branch in ("cls", "reg")] == [589_824, 1_769_472]
    assert (costs["gate"].macs, costs["adjust"].macs, costs["neck"].parameters) == (8_192, 2_097_152, 384)
    larger = parts(parse(MOBILE), 288)
    assert larger["correlation"].macs == 1_990_656
    assert total(parse(MOBILE), 288).macs == 646_071_552 + 1_990_656


@pytest.mark.parametrize(
    ("width", "first", "rest"),
    [(128, (4_489_216, 5_013_504), (4_489_216, 5_013_504)), (192, (6_586_368, 7_110_656), (9_879_552, 10_665_984)),
     (256, (8_683_520, 9_207_808), (17_367_040, 18_415_616))],
)  # fmt: skip
def test_layers_of_the_towers_cost_what_they_should(width, first, rest):
    layers = [tower_layers(Tower(width, (kernel, kernel)), 16) for kernel in (3, 5)]
    assert tuple(one.macs for one, _ in layers) == first
    assert tuple(other.macs for _, other in layers) == rest


def test_the_counter_of_the_papers_is_met_to_the_unit():
    assert published_macs(parse(MOBILE)) == 528_880_320
    whole = total(parse(MOBILE))
    assert (2 * whole.norm_values, whole.pooled_values, whole.biased_values) == (15_691_776, 2_543_104, 38_592)


def random_architecture(rng):
    """Any architecture of stride 16, drawn from the 18 digits."""
    output = int(rng.integers(2, 4))
    depths = (*(2, 4, 4, 4)[:output], int(rng.integers(1, 5)))
    stages = tuple(tuple(map(int, rng.integers(0, 6, depth))) for depth in depths)
    towers = [
        Tower(int(rng.choice((128, 192, 256))), tuple(map(int, rng.choice((3, 5), rng.integers(1, 9)))))
        for _ in ("cls", "reg")
    ]
    return Architecture(stages, *towers)


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_cost_in_closed_form_what_their_graphs_cost(seed):
    architecture = random_architecture(np.random.default_rng(seed))
    network = LightTrack(architecture).eval()
    assert total(architecture).parameters == sum(parameter.numel() for parameter in network.parameters())
    network.fold()
    fold_norms(network)
    graphs = trace(network, 127, {"": 256})
    assert deployed_macs(architecture) == sum(macs(to_onnx(graphs[name])) for name in ("search", "xcorr"))


def test_hooks_on_the_network_count_the_same():
    architecture = random_architecture(np.random.default_rng(9))
    network, counted = LightTrack(architecture).eval(), [0]
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, _, out: counted.append(out.numel() * m.weight[0].numel()))
    with torch.no_grad():
        features = network.search(torch.zeros(1, 3, 256, 256))
        network.correlate(features, {"kernel_pw": torch.zeros(64, architecture.channels, 1, 1)})
    assert sum(counted) == total(architecture).macs - parts(architecture)["correlation"].macs
