from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from architectures.cells.cost import border_difference, macs, parameters
from networks.cell import Cell, SearchCell
from networks.checkpoint import load
from networks.genotype import EMPTY, INPUTS, OPERATIONS, PUBLISHED, Genotype, parse, sources
from networks.models import MODELS, build, build_around
from siamtrt import ArtifactError, UsageError
from tests.networks.thin import thin_cell_spec

RANDOM = "cell8:dil3@0,max3@1|none@0,sep5@2|sep3@2,avg3@3|dil5@1,skip@4"


@pytest.fixture
def thin(monkeypatch):
    monkeypatch.setitem(MODELS, "thin_cell", thin_cell_spec())


def wide(channels):
    return Genotype(PUBLISHED.nodes, channels)


def hooked_macs(cell, channels, side):
    total = [0]

    def count(module, inputs, output):
        total[0] += output.numel() * module.weight[0].numel()

    for module in cell.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        cell(*torch.zeros(2, 1, channels, side, side))
    return total[0]


def count(module):
    return sum(parameter.numel() for name, parameter in module.named_parameters() if name != "alpha")


def test_the_published_cell_costs_what_is_on_record():
    assert parameters(wide(256)) == 354_048
    assert (macs(wide(256), 31), macs(wide(256), 18)) == (337_779_968, 113_882_112)
    assert parameters(wide(48)) == 16_464
    assert (macs(wide(48), 31), macs(wide(48), 15)) == (15_360_624, 3_596_400)
    for name, value in {"sep3": 136_704, "sep5": 144_896, "dil3": 68_352, "dil5": 72_448, "skip": 0}.items():
        assert parameters(parse(f"cell256:{name}@0,skip@1")) == value


@pytest.mark.parametrize("genotype", [wide(48), parse(RANDOM), EMPTY], ids=str)
def test_the_closed_form_is_what_the_module_has_and_does(genotype):
    cell = Cell(genotype).eval()
    assert parameters(genotype) == count(cell)
    assert macs(genotype, 9) == hooked_macs(cell, genotype.channels, 9)
    assert cell(*torch.zeros(2, 1, genotype.channels, 9, 9)).shape[1] == cell.width


@pytest.mark.parametrize(("channels", "wanted"), [(256, 5_913_600), (48, 270_144), (32, 137_088)])
def test_the_search_cell_has_as_many_weights_as_on_record(channels, wanted):
    with torch.device("meta"):
        assert count(SearchCell(channels)) == wanted


def test_a_node_sums_its_edges_and_the_output_holds_all_nodes():
    cell = Cell(parse("cell2:skip@0,max3@1|none@0,skip@2")).eval()
    first, second = torch.randn(2, 1, 2, 5, 5)
    node = first + nn.functional.max_pool2d(second, 3, 1, 1)
    torch.testing.assert_close(cell(first, second), torch.cat([node, node], 1))


def test_the_mixture_weighs_every_operation_by_its_share():
    torch.manual_seed(0)
    cell = SearchCell(4, nodes=1).eval()
    cell.alpha.data.normal_()
    maps = torch.randn(2, 2, 4, 6, 6)
    shares = cell.alpha.softmax(1)
    wanted = sum(
        shares[edge, column] * layers[name](maps[edge])
        for edge, layers in enumerate(cell.edges)
        for column, name in enumerate(OPERATIONS)
        if name != "none"
    )
    torch.testing.assert_close(cell(*maps), wanted)


def test_a_chosen_cell_of_the_search_is_that_cell_with_its_weights():
    torch.manual_seed(0)
    search, genotype = SearchCell(8).eval(), parse(RANDOM.replace("none@0", "skip@0"))
    cell = Cell(genotype).eval()
    ends, edges = sources(), iter(cell.edges)
    for node, chosen in enumerate(genotype.nodes, start=INPUTS):
        for edge in chosen:
            found = search.edges[ends.index((edge.source, node))][edge.operation][0]
            next(edges).load_state_dict(found.state_dict())
    maps = torch.randn(2, 1, 8, 9, 9)
    search.chosen = search.one_cell(genotype)
    torch.testing.assert_close(search(*maps), cell(*maps), atol=1e-4, rtol=1e-4)  # the pools' norms: eps of 1e-5


@pytest.mark.parametrize(("dropped", "wanted"), [("skip", 14), ("all", 98)])
def test_dropout_sits_behind_skips_or_behind_every_operation(dropped, wanted):
    cell = SearchCell(2, dropped)
    cell.set_dropout(0.3)
    rates = [module.p for module in cell.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.3] * wanted


def test_the_border_of_a_template_reaches_its_middle_through_a_chain_alone():
    """A 5x5 dilated operation sees four cells away, as far as the border is; two of them see further."""
    single = parse("cell8:dil5@0,sep5@1")
    assert border_difference(single) < 1e-6
    assert border_difference(parse("cell8:dil5@0,skip@1|dil5@2,skip@0")) > 1e-3


def test_a_checkpoint_says_its_cell(thin, tmp_path):
    torch.manual_seed(0)
    network = build_around("thin_cell", parse(RANDOM)).eval()
    path = tmp_path / "cell.pth"
    torch.save({key: value.float() for key, value in network.state_dict().items()}, path)  # as averages are kept
    loaded = load("thin_cell", path)
    assert loaded.architecture == RANDOM
    crops = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
    with torch.no_grad():
        torch.testing.assert_close(loaded(*crops), network(*crops))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (RANDOM.replace("cell8", "cell9"), "calls its cell cell9:.* has 8 channels"),
        (RANDOM.replace("dil3", "sep3"), r"missing neck\.cell\.edges\.0\.4\.weight"),
        (RANDOM.replace("sep5", "sep3"), r"edges\.3\.0\.weight has the shape \(8, 1, 5, 5\), expected \(8, 1, 3, 3\)"),
        ("cell8:nonsense", "is no cell: .*the edge 'nonsense' is no operation@source"),
    ],
)
def test_a_checkpoint_whose_string_contradicts_its_shapes_is_refused(thin, tmp_path, text, complaint):
    state = build_around("thin_cell", parse(RANDOM)).state_dict()
    state["neck.cell.architecture"] = torch.tensor(list(text.encode()), dtype=torch.uint8)
    torch.save(state, tmp_path / "cell.pth")
    with pytest.raises(ArtifactError, match=complaint):
        load("thin_cell", tmp_path / "cell.pth")


def test_a_model_without_a_cell_is_built_around_none():
    with pytest.raises(UsageError, match=r"siamrpn_nano has no cell(.|\n)*siamrpn_nano_cell, siamrpn_r50_cell"):
        build_around("siamrpn_nano", PUBLISHED)


def test_a_template_is_cut_behind_the_cell_and_template_and_search_share_it():
    torch.manual_seed(0)
    network = build("siamrpn_nano_cell").eval()
    assert network.architecture == str(PUBLISHED)
    seen = []
    network.neck.cell.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-1]))
    with torch.no_grad():
        kernels, features = network.template(torch.zeros(1, 3, 127, 127)), network.search(torch.zeros(1, 3, 255, 255))
    assert seen == [16, 32]
    assert {name: tuple(value.shape) for name, value in kernels.items()} == {
        "kernel_cls": (1, 64, 1, 6, 6),
        "kernel_loc": (1, 64, 1, 6, 6),
    }
    assert {tuple(value.shape) for value in features.values()} == {(1, 64, 30, 30)}


def test_the_trunk_of_resnet_ends_before_the_stage_that_no_cell_takes():
    with torch.device("meta"):
        network = build("siamrpn_r50_cell")
    assert network.architecture == str(wide(256))
    assert not [key for key in network.state_dict() if key.startswith("backbone.layer4")]
    assert np.prod(network.neck.inputs[0][0].weight.shape) == 512 * 256
