"""Cutting channels is the same as their being zero; where they are read is told by the exported graph, not by us."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch

from export.fold_norms import fold_norms
from export.graphs import trace
from export.to_onnx import to_onnx
from networks.models import spec
from networks.seeded import seeded
from networks.texture import smooth_noise
from siamtrt import ParityError, UsageError
from training.pruning.cut import cut_state, rebuilt
from training.pruning.groups import MAPS, Group, Member, find_groups
from training.pruning.proof import prove

QUICK = ("siamrpn_nano", "nanotrack_v3")
SLOW = ("siamrpn_lite0", "siamrpn_alexnet", "siamrpn_mobilenetv2", "siamrpn_r50")
FAMILIES = (*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW))
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    return request.param, seeded(request.param, 3)


def some(groups, seed, share=0.7):
    generator = torch.Generator().manual_seed(seed)
    return {
        group.name: sorted(
            torch.randperm(group.width, generator=generator)[: max(1, int(share * group.width))].tolist()
        )
        for group in groups
    }


def readers_in_graph(network, name):
    """What the exported graphs say: layer -> for each of its input channels the layer that made it and its channel."""
    folded = copy.deepcopy(network)
    folded.fold()
    fold_norms(folded)
    graphs = trace(folded, spec(name).template_px, {"": spec(name).search_px})
    target, *searching = (to_onnx(graph).graph for graph in graphs.values())
    return {**_readers([target]), **_readers(searching)}


def _readers(graphs):
    """The readers in graphs of which one reads the features of the other by name."""
    weights = {tensor.name: tuple(tensor.dims) for graph in graphs for tensor in graph.initializer}
    nodes = [node for graph in graphs for node in graph.node]
    makers = {output: node for node in nodes for output in node.output}

    def origin(tensor):
        """The channels of a tensor: (layer, channel), or None where they come from outside the graph."""
        node = makers.get(tensor)
        if node is None:
            return None
        if node.op_type in ("Conv", "Gemm"):
            weight, shape = node.input[1], weights[node.input[1]]
            if len(shape) == 4 and shape[1] == 1 and shape[0] > 1:
                return origin(node.input[0])  # depthwise, a correlation with kernels too
            return [(weight.removesuffix(".weight"), channel) for channel in range(shape[0])]
        if node.op_type == "Concat":
            parts = [origin(name) for name in node.input]
            return None if None in parts else [place for part in parts for place in part]
        if node.op_type in ("Mul", "Add", "Sub", "Div"):
            both = [origin(name) for name in node.input if name not in weights]
            both = [channels for channels in both if channels and len(channels) > 1]
            return both[0] if both else None
        return origin(node.input[0])

    readers = {}
    for node in nodes:
        if node.op_type in ("Conv", "Gemm") and node.input[1].endswith(".weight"):
            shape = weights[node.input[1]]
            channels = origin(node.input[0])
            if channels and (len(shape) == 2 or shape[1] == len(channels)):
                readers[node.input[1].removesuffix(".weight")] = channels
    return readers


def zeroed(network, readers, gone):
    """Hooks that put zeros where a channel that is gone would be read."""
    hooks = []
    for layer, channels in readers.items():
        places = [place for place, made in enumerate(channels) if made in gone]
        if places:
            hook = partial(_zero, places)
            hooks.append(network.get_submodule(layer).register_forward_pre_hook(hook))
    return hooks


def _zero(places, _module, inputs):
    x = inputs[0].clone()
    x[:, places] = 0
    return (x, *inputs[1:])


def test_a_cut_network_says_what_the_whole_one_says_with_those_channels_at_zero(model):
    name, network = model
    groups = find_groups(network, name)
    readers = readers_in_graph(network, name)
    crops = [smooth_noise(side, seed=side) for side in (spec(name).template_px, spec(name).search_px)]
    for seed in SEEDS:
        kept = some(groups, seed)
        gone = {
            (member.layer, member.places[channel])
            for group in groups
            for member in group.members
            if not member.reads
            for channel in set(range(group.width)) - set(kept[group.name])
        }
        hooks = zeroed(network, readers, gone)
        with torch.no_grad():
            wanted = network(*crops)
        for hook in hooks:
            hook.remove()
        smaller = rebuilt(name, cut_state(network.state_dict(), groups, kept))
        with torch.no_grad():
            got = smaller(*crops)
        for one, other in zip(got, wanted, strict=True):
            assert float((one - other).abs().max() / (other.max() - other.min())) <= 1e-5
        assert prove(network, smaller, name, groups, kept) <= 1e-5


def test_the_maps_stay_whole_and_no_layer_is_in_two_groups_by_one_side(model):
    name, network = model
    groups = find_groups(network, name)
    made = [member.layer for group in groups for member in group.members if not member.reads]
    assert not [layer for layer in made if layer.endswith(MAPS)]
    assert len(made) == len(set(made))


def test_pixels_taken_for_channels_end_in_a_sentence():
    network = seeded("nanotrack_v3", 0)
    groups = find_groups(network, "nanotrack_v3", left_out=())
    kept = some(groups, 0)
    with pytest.raises(ParityError, match="nanotrack_v3"):
        prove(
            network,
            rebuilt("nanotrack_v3", cut_state(network.state_dict(), groups, kept)),
            "nanotrack_v3",
            groups,
            kept,
        )


def test_a_reader_that_was_forgotten_is_found_out():
    network = seeded("siamrpn_nano", 0)
    groups = list(find_groups(network, "siamrpn_nano"))
    place, group = next((place, group) for place, group in enumerate(groups) if len(group.readers) > 1)
    groups[place] = Group(
        group.name, group.width, tuple(member for member in group.members if member != group.readers[0])
    )
    kept = some(groups, 0)
    with pytest.raises(ParityError, match=r"do not make a siamrpn_nano|does not run"):
        prove(
            network,
            rebuilt("siamrpn_nano", cut_state(network.state_dict(), groups, kept)),
            "siamrpn_nano",
            groups,
            kept,
        )


def test_other_channels_than_were_masked_are_found_out():
    network = seeded("siamrpn_nano", 0)
    groups = find_groups(network, "siamrpn_nano")
    smaller = rebuilt("siamrpn_nano", cut_state(network.state_dict(), groups, some(groups, 0)))
    with pytest.raises(ParityError, match="differs from the masked one"):
        prove(network, smaller, "siamrpn_nano", groups, some(groups, 1))


def test_a_network_of_a_search_space_is_refused():
    with pytest.raises(UsageError, match="search space"):
        find_groups(seeded("lighttrack_mobile", 0), "lighttrack_mobile")


def test_the_two_sides_of_a_correlation_stand_and_fall_together():
    groups = find_groups(seeded("siamrpn_nano", 0), "siamrpn_nano")
    layers = {
        member.layer for group in groups if group.name == "rpn_head.rpn2.cls.conv_kernel.0" for member in group.members
    }
    assert {"rpn_head.rpn2.cls.conv_search.0", "rpn_head.rpn2.cls.head.0"} <= layers


def test_channels_of_a_concatenation_know_their_places():
    groups = find_groups(seeded("nanotrack_v3", 0), "nanotrack_v3")
    (group,) = (group for group in groups if group.name == "ban_head.corr_dw_cls.conv_kernel.0")
    assert Member("ban_head.down_cls.0", True, tuple(range(64, 160))) in group.members
