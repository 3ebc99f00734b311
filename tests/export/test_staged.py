from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from export.fold_norms import fold_norms
from export.graphs import reference_crop
from export.parity import TOLERANCE, measure
from export.staged import stage_cards, trace_stages
from export.to_onnx import to_onnx
from export.write import write
from networks import models
from networks.exits import ExitSiamRPN, with_exits
from networks.models import MODELS
from networks.seeded import seeded
from siamtrt import ArtifactError, ModelCard, ParityError, UsageError, documents
from siamtrt.card import LostRule, SearchCard, TrackerConstants
from siamtrt.files import read_json
from siamtrt.libraries.onnxruntime import open_session
from tests.networks.thin import thin_siamrpn


@pytest.fixture(autouse=True)
def thin_models(monkeypatch):
    base = models.ModelSpec(
        build=lambda state: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="test")
    )
    monkeypatch.setitem(MODELS, "thin", base)


def thin_exits():
    network = seeded("thin", 0)
    network.rpn_head.cls_weight.data = torch.tensor([0.3, 2.0, -1.0])
    torch.manual_seed(1)
    exits = ExitSiamRPN(network, gates=True, qualities=True).eval()
    exits.exits.cls_weight["2"].data = torch.tensor([-0.5, 0.6])
    return exits


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        spec = models.ModelSpec(build=lambda _: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="t"))
        patch.setitem(MODELS, "thin", spec)
        network, folder = thin_exits(), tmp_path_factory.mktemp("staged")
        with torch.no_grad():
            whole = network(reference_crop(127), reference_crop(255))
            stages = network.exit_maps(reference_crop(127), reference_crop(255))
        card = write(network, "thin", folder, checkpoint=None, command="make exits", exits=True)
    return folder, card, whole, stages


def run(folder, name, tensors):
    session = open_session(folder / f"{name}.onnx")
    names = [node.name for node in session.get_outputs()]
    return dict(zip(names, session.run(names, {node.name: tensors[node.name] for node in session.get_inputs()})))


def chain(folder, card):
    """The tensors behind each stage, as graphs put them out one after another."""
    tensors, behind = {"search": reference_crop(255).numpy()}, []
    for stage in card.search.stages:
        for name in (stage.search, stage.xcorr):
            tensors = {**tensors, **run(folder, name, tensors)}
        behind.append(tensors)
    return behind


def test_the_graphs_have_the_names_of_the_contract(exported):
    _, card, _, _ = exported
    sides = {graph.name: ({s.name for s in graph.inputs}, {s.name for s in graph.outputs}) for graph in card.graphs}
    maps = {"cls", "loc"}
    assert sides["search_1"] == ({"search"}, {"feature_cls2", "feature_loc2", "trunk_1"})
    assert sides["search_2"] == ({"trunk_1"}, {"feature_cls3", "feature_loc3", "trunk_2"})
    assert sides["search_3"] == ({"trunk_2"}, {"feature_cls4", "feature_loc4"})
    level1, level2 = {"level_cls_1", "level_loc_1"}, {"level_cls_2", "level_loc_2"}
    assert sides["xcorr_1"] == ({"feature_cls2", "feature_loc2"}, maps | level1 | {"exit_1"})
    assert sides["xcorr_2"] == ({"feature_cls3", "feature_loc3"} | level1, maps | level2 | {"exit_2"})
    assert sides["xcorr_3"] == ({"feature_cls4", "feature_loc4"} | level1 | level2, maps | {"exit_3"})


def test_the_card_says_what_runs_and_what_it_costs(exported):
    folder, card, _, _ = exported
    assert ModelCard.load(folder) == card
    said = [stage.exit.scores for stage in card.search.stages]
    assert said == [("peak", "gate", "iou", "keep")] * 2 + [("peak",)]
    assert [stage.kernels for stage in card.search.stages] == [
        (f"kernel_cls{level}", f"kernel_loc{level}") for level in "234"
    ]
    assert min(card.stage_macs(card.search)) > 0
    assert card.refitted("xcorr_2") == ("kernel_cls3", "kernel_loc3")
    assert card.scores_of("xcorr_2") == ("exit_2",)
    assert card.crop_of("search_1") == "search_1"
    assert card.crop_of("search_2") is None


def test_each_graph_and_the_chain_to_each_exit_has_its_parity(exported):
    _, card, _, _ = exported
    parts = {f"{part}_{number}" for part in ("search", "xcorr", "chain") for number in (1, 2, 3)}
    assert set(card.parity) == {"target", *parts}
    assert max(card.parity.values()) <= TOLERANCE


def test_the_chain_gives_each_exit_and_the_last_is_the_whole_network(exported):
    folder, card, whole, stages = exported
    behind = chain(folder, card)
    for tensors, stage, number in zip(behind, stages, (1, 2, 3), strict=True):
        for kind in ("cls", "loc"):
            wanted = stage.maps[kind].numpy()
            assert abs(tensors[kind] - wanted).max() <= TOLERANCE * np.ptp(wanted)
        assert abs(tensors[f"exit_{number}"] - stage.scores.numpy()).max() <= TOLERANCE
    for kind, wanted in zip(("cls", "loc"), whole, strict=True):
        assert abs(behind[-1][kind] - wanted.numpy()).max() <= TOLERANCE * np.ptp(wanted.numpy())


def test_an_xcorr_graph_holds_its_own_kernels_alone(exported):
    folder, card, _, _ = exported
    for stage in card.search.stages:
        weights = {weight.name for weight in onnx.load(str(folder / f"{stage.xcorr}.onnx")).graph.initializer}
        assert {name for name in weights if name.startswith("kernel_")} == set(stage.kernels)


def test_kernels_can_be_inputs(tmp_path):
    card = write(thin_exits(), "thin", tmp_path, checkpoint=None, command="", exits=True, kernel_inputs=True)
    assert {"kernel_cls3", "kernel_loc3"} <= {spec.name for spec in card.graph("xcorr_2").inputs}
    assert "kernel_cls2" not in {spec.name for spec in card.graph("xcorr_2").inputs}


def test_without_exits_the_same_weights_export_as_one_search(tmp_path, exported):
    card = write(thin_exits(), "thin", tmp_path, checkpoint=None, command="")
    assert [graph.name for graph in card.graphs] == ["target", "search", "xcorr"]
    assert not card.search.has_exits


def swapped(protos):
    """The last graph takes the map of level 2 for that of level 1 too: a sum is the same either way round."""
    for node in protos["xcorr_3"].graph.node:
        node.input[:] = ["level_cls_2" if name == "level_cls_1" else name for name in node.input]


def scaled(protos):
    """The last level counts twice."""
    weight = next(w for w in protos["xcorr_2"].graph.initializer if w.name == "rpn_head.rpn3.cls.head.3.weight")
    weight.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(weight), weight.name))


@pytest.mark.parametrize(("damage", "where"), [(swapped, r"(xcorr|chain)_[23]"), (scaled, r"(xcorr|chain)_[23]")])
def test_wrong_wiring_is_found_by_parity(damage, where):
    network = thin_exits()
    network.fold()
    fold_norms(network)
    graphs = trace_stages(network, 127, 255)
    protos = {name: to_onnx(graph) for name, graph in graphs.items()}
    searches = (SearchCard(255, 25, 0.42, stage_cards(network)),)
    assert max(measure(graphs, protos, searches).values()) <= TOLERANCE
    damage(protos)
    with pytest.raises(ParityError, match=where):
        measure(graphs, protos, searches)


@pytest.mark.parametrize(("kind", "number"), [("cls", 1), ("loc", 2)])
def test_shares_that_do_not_sum_to_one_are_named(tmp_path, monkeypatch, kind, number):
    fold = ExitSiamRPN.fold

    def shrunk(self):
        fold(self)
        self._ratios[kind, number] = 0.9 * self._ratios[kind, number]

    monkeypatch.setattr(ExitSiamRPN, "fold", shrunk)
    with pytest.raises(ParityError, match=rf"shares of {kind} in exit {number} sum to 0\.9000"):
        write(thin_exits(), "thin", tmp_path, checkpoint=None, command="", exits=True)


def test_a_long_term_model_has_no_exits(tmp_path, monkeypatch):
    spec = models.ModelSpec(
        build=lambda state: thin_siamrpn(),
        tracker=TrackerConstants(0.05, 0.42, 0.38, source="test"),
        lost=models.LostSearch(511, 0.001, LostRule(0.8, 0.998)),
    )
    monkeypatch.setitem(MODELS, "thin_lt", spec)
    with pytest.raises(UsageError, match="long-term"):
        write(with_exits(seeded("thin_lt", 0)).eval(), "thin_lt", tmp_path, checkpoint=None, command="", exits=True)


def test_a_network_without_exits_is_refused(tmp_path):
    with pytest.raises(UsageError, match="has no exits"):
        write(seeded("thin", 0), "thin", tmp_path, checkpoint=None, command="", exits=True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda stages: stages[1].update(kernels=stages[0]["kernels"]), "do not share out its kernels"),
        (lambda stages: stages[1].update(exit=None), "have no scores"),
        (lambda stages: stages[1]["exit"].update(output="cls4"), "have no scores"),
        (lambda stages: stages.pop(), "do not share out its kernels"),
    ],
)
def test_a_card_whose_exits_contradict_each_other_is_refused(exported, tmp_path, change, complaint):
    document = read_json(exported[0] / "model.json")
    change(document["searches"][0]["stages"])
    documents.write(tmp_path / "model.json", document)
    with pytest.raises(ArtifactError, match=complaint):
        ModelCard.load(tmp_path)


def test_a_stage_that_costs_nothing_is_refused(exported, tmp_path):
    document = read_json(exported[0] / "model.json")
    for graph in document["graphs"]:
        graph["macs"] = None
    documents.write(tmp_path / "model.json", document)
    with pytest.raises(ArtifactError, match="does not say what its graphs cost"):
        ModelCard.load(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["siamrpn_mobilenetv2", "siamrpn_r50"])
def test_large_models_export_in_stages(name, tmp_path):
    card = write(with_exits(seeded(name, 0)).eval(), name, tmp_path, checkpoint=None, command="", exits=True)
    assert max(card.parity.values()) <= TOLERANCE
    macs = card.stage_macs(card.search)
    assert macs[0] / sum(macs) < 0.21


def test_exits_can_put_out_what_their_scores_are_computed_from(tmp_path):
    network = thin_exits()
    network.says_features = True
    with torch.no_grad():
        stages = network.exit_maps(reference_crop(127), reference_crop(255))
    card = write(network, "thin", tmp_path, checkpoint=None, command="", exits=True)
    names = card.search.stages[0].exit.scores
    assert names[:5] == ("peak", "gate", "iou", "keep", "feature:0")
    assert len(names) == 4 + 12 + 16
    found = chain(tmp_path, card)[1]["exit_2"][0, 4:]
    np.testing.assert_allclose(found, stages[1].features[0].numpy(), rtol=1e-3, atol=1e-4)
