from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from export.__main__ import arguments, main
from export.fold_norms import fold_norms
from export.graphs import reference_crop, trace
from export.parity import TOLERANCE, measure
from export.to_onnx import to_onnx
from export.write import write
from networks import models
from networks.models import MODELS
from networks.seeded import seeded
from siamtrt import ArtifactError, Manifest, ModelCard, ParityError, cli
from siamtrt.card import LostRule, TrackerConstants
from siamtrt.libraries.onnxruntime import open_session
from tests.networks.thin import thin_siamrpn

NAMES = [f"{kind}{level}" for level in "234" for kind in ("cls", "loc")]


@pytest.fixture(autouse=True)
def thin_models(monkeypatch):
    base = models.ModelSpec(
        build=lambda state: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="test")
    )
    lost = models.LostSearch(511, 0.001, LostRule(0.8, 0.998))
    monkeypatch.setitem(MODELS, "thin", base)
    monkeypatch.setitem(MODELS, "thin_lt", replace(base, lost=lost))


@pytest.fixture
def exported(tmp_path):
    torch.manual_seed(3)
    network = seeded("thin", 0)
    network.rpn_head.cls_weight.data = torch.tensor([0.3, 2.0, -1.0])
    crops = reference_crop(127), reference_crop(255)
    with torch.no_grad():
        maps = network(*crops)
    card = write(network, "thin", tmp_path, checkpoint=None, command="make export")
    return tmp_path, card, maps


def graph(folder, name):
    return onnx.load(str(folder / f"{name}.onnx"))


def test_the_three_graphs_have_the_names_and_shapes_of_the_contract(exported):
    folder, card, _ = exported
    wanted = {
        "target": ({"template": (1, 3, 127, 127)}, {f"kernel_{name}": (8, 1, 5, 5) for name in NAMES}),
        "search": ({"search": (1, 3, 255, 255)}, {f"feature_{name}": (1, 8, 29, 29) for name in NAMES}),
        "xcorr": (
            {f"feature_{name}": (1, 8, 29, 29) for name in NAMES},
            {"cls": (1, 10, 25, 25), "loc": (1, 20, 25, 25)},
        ),
    }
    for name, (inputs, outputs) in wanted.items():
        session = open_session(folder / f"{name}.onnx")
        assert {node.name: tuple(node.shape) for node in session.get_inputs()} == inputs
        assert {node.name: tuple(node.shape) for node in session.get_outputs()} == outputs
        assert {spec.name: spec.shape for spec in card.graph(name).outputs} == outputs
    assert ModelCard.load(folder) == card
    assert (card.family, card.search.score_size, card.search.search_px) == ("rpn", 25, 255)


def test_graphs_are_valid_static_opset_13_without_batch_norms(exported):
    folder, _, _ = exported
    for name in ("target", "search", "xcorr"):
        model = graph(folder, name)
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        assert [entry.version for entry in model.opset_import] == [13]
        assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


def test_kernels_are_those_of_the_reference_template(exported):
    folder, card, _ = exported
    session = open_session(folder / "target.onnx")
    kernels = session.run(list(card.kernel_names), {"template": reference_crop(127).numpy()})
    weights = {w.name: numpy_helper.to_array(w) for w in graph(folder, "xcorr").graph.initializer}
    for name, kernel in zip(card.kernel_names, kernels):
        np.testing.assert_allclose(weights[name], kernel, atol=1e-4 * max(1, np.abs(kernel).max()))
        assert np.abs(kernel).max() > 0
    users = {node.input[1] for node in graph(folder, "xcorr").graph.node if node.op_type == "Conv"}
    assert set(card.kernel_names) <= users


def test_the_chain_gives_the_fused_maps_of_the_torch_network(exported):
    folder, card, (cls, loc) = exported
    features = [f"feature_{name}" for name in NAMES]
    values = open_session(folder / "search.onnx").run(features, {"search": reference_crop(255).numpy()})
    found = open_session(folder / "xcorr.onnx").run(["cls", "loc"], dict(zip(features, values)))
    for got, wanted in zip(found, (cls.numpy(), loc.numpy())):
        assert np.abs(got - wanted).max() <= 1e-4 * np.ptp(wanted)
    assert set(card.parity) == {"target", "search", "xcorr", "chain"}
    assert max(card.parity.values()) <= TOLERANCE


def test_layers_are_called_after_their_weights(exported):
    names = {node.name for node in graph(exported[0], "search").graph.node if node.op_type == "Conv"}
    assert {"backbone.stem.0", "neck.downsample3.downsample.0", "rpn_head.rpn4.loc.conv_search.0"} <= names


def test_the_folder_is_proved_by_its_manifest(exported):
    folder, _, _ = exported
    manifest = Manifest.load(folder, stage="export")
    assert set(manifest.files) == {"target.onnx", "search.onnx", "xcorr.onnx", "model.json"}
    (folder / "xcorr.onnx").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="try: make export"):
        Manifest.load(folder, stage="export")


def test_kernels_can_be_inputs(tmp_path):
    card = write(seeded("thin", 0), "thin", tmp_path, checkpoint=None, command="", kernel_inputs=True)
    inputs = {node.name for node in open_session(tmp_path / "xcorr.onnx").get_inputs()}
    assert set(card.kernel_names) <= inputs
    assert card.kernel_inputs
    assert not {w.name for w in graph(tmp_path, "xcorr").graph.initializer} & set(card.kernel_names)


def test_a_long_term_model_has_two_more_graphs(tmp_path):
    card = write(seeded("thin_lt", 0), "thin_lt", tmp_path, checkpoint=None, command="")
    assert [entry.name for entry in card.graphs] == ["target", "search", "xcorr", "search_lost", "xcorr_lost"]
    assert card.graph("xcorr_lost").outputs[0].shape == (
        1,
        10,
        card.lost_search.score_size,
        card.lost_search.score_size,
    )
    assert {"chain", "chain_lost"} <= set(card.parity)


def test_a_difference_above_the_tolerance_is_refused(exported):
    _, card, _ = exported
    network = seeded("thin", 0)
    network.fold()
    fold_norms(network)
    graphs = trace(network, 127, {"": 255})
    protos = {name: to_onnx(entry) for name, entry in graphs.items()}
    bias = next(w for w in protos["search"].graph.initializer if w.name == "backbone.stem.0.bias")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(0.5), bias.name))
    with pytest.raises(ParityError, match=r"in (search|chain), allowed 1e-04"):
        measure(graphs, protos, card.searches)


@pytest.mark.parametrize("step", ["fold_norms", "fusion"])
def test_a_wrong_fold_is_refused(step, tmp_path, monkeypatch):
    """Parity is that of the network as it was loaded, not of what folding made of it."""
    network = seeded("thin", 0)
    if step == "fusion":
        monkeypatch.setattr(network, "fold", lambda: setattr(network, "folded", True))
    else:
        monkeypatch.setattr("export.write.fold_norms", lambda module: (fold_norms(module), shift_biases(module)))
    with pytest.raises(ParityError, match="differs from torch"):
        write(network, "thin", tmp_path, checkpoint=None, command="")


def shift_biases(module):
    for name, parameter in module.named_parameters():
        if name.endswith("conv_search.0.bias"):
            parameter.data += 0.01


@pytest.mark.parametrize("branch", ["cls", "loc"])
def test_outputs_that_are_not_finite_are_refused(branch, tmp_path):
    network = seeded("thin", 0)
    network.state_dict()[f"rpn_head.rpn2.{branch}.head.3.bias"].fill_(float("nan"))
    with pytest.raises(ParityError, match="by inf of the output's range in xcorr"):
        write(network, "thin", tmp_path, checkpoint=None, command="")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "siamrpn_lite0",
        pytest.param("siamrpn_r50", marks=pytest.mark.slow),
        pytest.param("siamrpn_r50_otb", marks=pytest.mark.slow),
        "siamrpn_mobilenetv2",
        "siamrpn_alexnet",
        "nanotrack_v3",
        "lighttrack_mobile",
        "siamrpn_nano_cell",
        pytest.param("siamrpn_r50_cell", marks=pytest.mark.slow),
    ],
)
def test_every_model_is_exported_within_the_tolerance(name, tmp_path):
    card = write(seeded(name, 0), name, tmp_path, checkpoint=None, command="")
    assert max(card.parity.values()) <= TOLERANCE


@pytest.mark.slow
def test_the_long_term_model_is_exported_within_the_tolerance(tmp_path):
    card = write(seeded("siamrpn_r50_lt", 0), "siamrpn_r50_lt", tmp_path, checkpoint=None, command="")
    assert card.lost_search.score_size == card.graph("xcorr_lost").outputs[0].shape[-1] == 97
    assert max(card.parity.values()) <= TOLERANCE


def run(*argv):
    return cli.run(main, arguments(), ["--quiet", *map(str, argv)])


def test_the_command_exports_a_checkpoint_and_records_its_digest(tmp_path, capsys):
    from siamtrt.files import sha256

    path = tmp_path / "thin.pth"
    torch.save(seeded("thin", 0).state_dict(), path)
    assert run("--model", "thin", "--checkpoint", path, "--out", tmp_path / "onnx") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'onnx'}\n"
    assert ModelCard.load(tmp_path / "onnx").checkpoint_sha256 == sha256(path)
    assert Manifest.load(tmp_path / "onnx", stage="export").parents == {str(path): sha256(path)}


def test_weights_have_to_be_named_once(tmp_path, capsys):
    assert run("--model", "thin", "--out", tmp_path) == 2
    assert run("--model", "thin", "--seed", 1, "--checkpoint", tmp_path / "x", "--out", tmp_path) == 2
    assert "name the weights once" in capsys.readouterr().err
