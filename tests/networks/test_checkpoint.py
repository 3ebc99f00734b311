from __future__ import annotations

import io
import pickle
import random

import numpy as np
import pytest
import torch

from networks.checkpoint import load, read_state
from networks.models import MODELS, ModelSpec, build
from siamtrt import ArtifactError
from siamtrt.card import TrackerConstants
from tests.networks.thin import thin_siamrpn

MODEL = "siamrpn_lite0"


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return {key: value for key, value in build(MODEL).state_dict().items() if not key.endswith("num_batches_tracked")}


def saved(tmp_path, content):
    torch.save(content, tmp_path / "checkpoint.pth")
    return tmp_path / "checkpoint.pth"


def assert_holds(network, state):
    for key, value in state.items():
        torch.testing.assert_close(network.state_dict()[key], value)


def test_bare_wrapped_and_prefixed_files_load_alike(tmp_path, state):
    wrapped = {"epoch": np.float64(3), "state_dict": {f"module.{key}": value for key, value in state.items()}}
    for content in (state, wrapped):
        network = load(MODEL, saved(tmp_path, content))
        assert_holds(network, state)
        assert not network.training


def test_half_precision_becomes_float32(tmp_path, state):
    half = {key: value.half() for key, value in state.items()}
    network = load(MODEL, saved(tmp_path, half))
    assert next(network.parameters()).dtype == torch.float32


def test_missing_and_unknown_keys_are_named(tmp_path, state):
    changed = dict(state)
    changed["rpn_head.rpn9.surprise"] = changed.pop("rpn_head.rpn3.cls.head.3.bias")
    complaint = r"missing rpn_head\.rpn3\.cls\.head\.3\.bias; unknown rpn_head\.rpn9\.surprise"
    with pytest.raises(ArtifactError, match=complaint):
        load(MODEL, saved(tmp_path, changed))


def test_the_model_it_would_fit_is_named(tmp_path, state):
    with pytest.raises(ArtifactError, match=rf"no checkpoint of siamrpn_alexnet: (.|\n)*try: MODEL={MODEL}"):
        load("siamrpn_alexnet", saved(tmp_path, state))


def test_a_model_that_differs_in_widths_alone_is_not_taken_for_a_pruned_one(tmp_path, monkeypatch):
    """As siamrpn_r50_lt in siamrpn_r50: the same keys, but other constants of the tracker."""
    for name, width in (("narrow", 8), ("wide", 12)):
        spec = ModelSpec(
            build=lambda _, width=width: thin_siamrpn(width=width),
            tracker=TrackerConstants(0.05, 0.42, 0.38, source="test"),
        )
        monkeypatch.setitem(MODELS, name, spec)
    path = saved(tmp_path, build("wide").state_dict())
    complaint = r"neck\.downsample2\.downsample\.0\.weight has the shape \(12, 4, 1, 1\), expected \(8, 4, 1, 1\)"
    with pytest.raises(ArtifactError, match=rf"no checkpoint of narrow: {complaint}(.|\n)*try: MODEL=wide"):
        load("narrow", path)
    assert load("wide", path).neck.downsample2.downsample[0].out_channels == 12


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(tmp_path, state, value):
    changed = {**state, "rpn_head.rpn3.loc.head.3.bias": torch.full((20,), value)}
    with pytest.raises(ArtifactError, match=r"rpn_head\.rpn3\.loc\.head\.3\.bias holds NaN or infinity"):
        load(MODEL, saved(tmp_path, changed))


def test_fusion_weights_of_another_count_of_levels_are_named(tmp_path, state):
    with pytest.raises(ArtifactError, match=r"rpn_head\.cls_weight has the shape \(2,\), expected \(3,\)"):
        load(MODEL, saved(tmp_path, {**state, "rpn_head.cls_weight": torch.zeros(2)}))


def test_a_wrong_kernel_size_is_named(tmp_path, state):
    changed = {**state, "neck.downsample3.downsample.0.weight": torch.zeros(64, 80, 3, 3)}
    with pytest.raises(ArtifactError, match=r"neck\.downsample3\.downsample\.0\.weight has the shape \(64, 80, 3, 3\)"):
        load(MODEL, saved(tmp_path, changed))


def test_contradicting_widths_are_named(tmp_path, state):
    changed = {**state, "neck.downsample3.downsample.0.weight": torch.zeros(64, 81, 1, 1)}
    with pytest.raises(ArtifactError, match=r"the width of neck\.downsample3\.downsample\.0\.weight does not fit"):
        load(MODEL, saved(tmp_path, changed))


def test_a_pruned_resnet_needs_no_code_of_its_own(tmp_path):
    """Every width of the trunk differs from the published one, and two blocks are gone."""
    torch.manual_seed(0)
    state = {}
    for key, value in build("siamrpn_r50").state_dict().items():
        if "num_batches" in key or key.startswith(("backbone.layer3.4.", "backbone.layer3.5.")):
            continue
        state[key] = pruned(key, value)
    network = load("siamrpn_r50", saved(tmp_path, state))
    assert len(network.backbone.layer3) == 4
    assert network.backbone.layer1[0].conv1.out_channels == 24
    assert network.neck.downsample2.downsample[0].in_channels == 512
    assert_holds(network, state)


def pruned(key, value):
    """Inner widths of the bottlenecks shrink by 5/8; the widths between blocks stay."""
    inner = value.shape[0] * 3 // 8
    if not key.startswith("backbone.layer") or "downsample" in key:
        return value
    layer = key.split(".")[3]
    if layer in ("conv1", "bn1", "bn2"):
        return value[:inner].clone()
    if layer == "conv2":
        return value[:inner, :inner].clone()
    return value[:, : value.shape[1] * 3 // 8].clone() if layer == "conv3" else value


class Malicious:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize(
    "content",
    [b"", b"not a checkpoint", pickle.dumps({"state_dict": Malicious()}), pickle.dumps([1, 2])],
    ids=["empty", "text", "malicious", "list"],
)
def test_what_is_no_checkpoint_is_refused_and_not_executed(tmp_path, content, capsys):
    path = tmp_path / "bad.pth"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"bad\.pth"):
        read_state(path)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_bytes_load_or_are_refused_but_never_raise_anything_else(tmp_path, zipped):
    content = io.BytesIO()
    tensors = {"state_dict": {"a.weight": torch.ones(3, 3), "module.b": torch.ones(4)}, "epoch": 3}
    torch.save(tensors, content, _use_new_zipfile_serialization=zipped)
    chance, path, refused = random.Random(0), tmp_path / "damaged.pth", 0
    for turn in range(300):
        damaged = bytearray(content.getvalue())
        for _ in range(turn % 8):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged if turn % 3 else damaged[: chance.randrange(len(damaged))])
        try:
            read_state(path)
        except ArtifactError:
            refused += 1
    assert 100 <= refused < 300


def test_a_truncated_checkpoint_and_an_absent_one_are_refused(tmp_path, state):
    path = saved(tmp_path, state)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ArtifactError, match="not a readable checkpoint"):
        load(MODEL, path)
    with pytest.raises(ArtifactError, match="no such checkpoint"):
        load(MODEL, tmp_path / "nowhere.pth")


def test_the_published_nanotrack_loads(reference_data):
    network = load("nanotrack_v3", reference_data / "weights" / "nanotrackv3" / "nanotrackv3.pth")
    assert sum(parameter.numel() for parameter in network.parameters()) == 550_854


class Code:
    def __reduce__(self):
        return print, ("run",)


def test_a_refusal_tells_the_fact_and_does_not_advise_to_run_code(tmp_path):
    (tmp_path / "text.pth").write_text("# Title\n")
    with pytest.raises(ArtifactError) as damaged:
        load(MODEL, tmp_path / "text.pth")
    assert str(damaged.value).endswith("text.pth is not a readable checkpoint: Unsupported operand 35")
    torch.save({"weights": Code()}, tmp_path / "code.pth")
    with pytest.raises(ArtifactError) as refused:
        load(MODEL, tmp_path / "code.pth")
    assert "Unsupported global: GLOBAL print" in str(refused.value)
    assert "weights_only" not in str(refused.value)
