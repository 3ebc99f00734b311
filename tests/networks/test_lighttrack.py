from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from export.write import write
from networks.checkpoint import load
from networks.lighttrack.architecture import MOBILE, Architecture, Tower, architecture_of, parse
from networks.lighttrack.network import LightTrack
from networks.models import build, spec
from networks.seeded import seeded
from siamtrt import ArtifactError, ModelCard, UsageError

RAW_MOBILE = "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"
# 20 digits with a stride of 8, 18 digits with skips between layers, and the largest
OTHERS = (
    "back_03234141523050352340+cls_011021002+reg_010110020_ops_10",
    "back_04334411435410321040+cls_202112222+reg_002000002_ops_23",
    f"back_0{'5' * 18}0+cls_211111111+reg_211111111_ops_33",
    f"back_0{'0123' * 5}0+cls_002222222+reg_102222222_ops_20",
)

# What OpenVINO 2026.4's runtime put out for the IR of the published weights at eight cells of its maps, in FP32
GOLDEN_CELLS = (np.arange(0, 16, 2), np.arange(0, 16, 2)[::-1] + 1)
GOLDEN_SCORES = (
    *(4.3324255e-03, 7.0408852e-05, 1.9625326e-01, 7.1098983e-01),
    *(9.7032565e-01, 7.7748650e-01, 3.3005127e-03, 5.0172515e-05),
)
GOLDEN_SIDES_PX = (
    (43.90076, 18.19741, 14.50309, 46.16605),
    (47.29437, 10.95356, 11.30918, 72.14974),
    (35.71865, 18.03059, 25.32274, 61.58717),
    (31.27623, 24.37839, 29.32313, 56.8591),
    (20.04032, 34.34718, 40.14084, 43.38928),
    (18.04909, 38.33496, 44.89214, 36.40833),
    (10.38598, 46.82349, 57.32617, 24.63463),
    (7.88411, 64.36227, 65.59058, 9.9677),
)


def test_the_published_string_has_the_published_blocks():
    mobile = parse(RAW_MOBILE)
    assert mobile == Architecture(
        ((4, 5), (0, 2, 5, 1), (4, 0, 4, 4), (5, 2, 1)),
        Tower(256, (5, 5, 3, 3, 3, 3)),
        Tower(192, (3, 3, 3, 3, 3, 5, 5, 5)),
    )
    assert str(mobile) == MOBILE
    hidden = [block.hidden for stage in mobile.blocks for block in stage]
    assert hidden == [64, 144, 96, 160, 240, 240, 160, 320, 320, 320, 480, 384, 576]
    assert [block.squeezed for block in mobile.blocks[0] + mobile.blocks[3]] == [16, 40, 120, 96, 144]


@pytest.mark.parametrize("text", [RAW_MOBILE, *OTHERS])
def test_a_string_goes_through_the_network_and_comes_back_canonical(text):
    architecture = parse(text)
    with torch.device("meta"):
        state = LightTrack(architecture).state_dict()
    assert architecture_of(state) == architecture
    assert parse(str(architecture)) == architecture
    assert len(str(architecture)) == len(text)


def test_digits_behind_the_output_and_the_places_of_skips_do_not_count():
    one = parse("back_04334411435410321040+cls_202112222+reg_002000002_ops_23")
    other = parse("back_04334411435000000000+cls_201212222+reg_000020002_ops_23")
    assert one == other
    assert str(other) == "back_04334411435000000000+cls_201122222+reg_000000022_ops_23"
    assert one != parse("back_04334411435000000000+cls_201122222+reg_000000022_ops_22")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("back_0450251+cls_211000022", "not an architecture"),
        (RAW_MOBILE.replace("045025", "04502"), "17 digits between its zeros, expected 18 or 20"),
        (RAW_MOBILE.replace("045025", "045026"), "a digit of the backbone is above 5"),
        (RAW_MOBILE.replace("cls_211", "cls_311"), "a digit above 2"),
        (RAW_MOBILE.replace("cls_211", "cls_221"), "skips its first layer"),
        (RAW_MOBILE.replace("reg_1000", "reg_100"), "8 digits, expected 9"),
        (RAW_MOBILE.replace("ops_32", "ops_02"), "expected a stage 1 to 3"),
    ],
)
def test_a_malformed_string_is_refused_in_a_sentence(text, complaint):
    with pytest.raises(UsageError, match=complaint):
        parse(text)


def test_a_checkpoint_of_another_model_has_no_architecture():
    assert architecture_of(build("nanotrack_v3").state_dict()) is None
    state = dict(build("lighttrack_mobile").state_dict())
    for broken in (torch.zeros(64, 1, 9, 9), torch.zeros(())):
        assert architecture_of({**state, "features.blocks.1.0.conv_dw.weight": broken}) is None


def test_keys_and_parameters_are_those_of_the_published_checkpoint():
    network = build("lighttrack_mobile")
    assert len(network.state_dict()) == 426
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_969_397
    assert {"head.cls_perd.cls_pred.weight", "features.blocks.4.2.se.conv_reduce.bias"} <= set(network.state_dict())


def test_a_searched_network_loads_without_its_string(tmp_path):
    state = LightTrack(parse(OTHERS[1])).state_dict()
    torch.save(state, tmp_path / "searched.pth")
    assert load("lighttrack_mobile", tmp_path / "searched.pth").architecture == str(parse(OTHERS[1]))


def test_a_network_of_stride_8_is_refused_for_its_boxes_would_be_elsewhere(tmp_path):
    torch.save(LightTrack(parse(OTHERS[0])).state_dict(), tmp_path / "fine.pth")
    with pytest.raises(ArtifactError, match=r"stride 8, lighttrack_mobile tracks with stride 16: back_0.*_ops_10"):
        load("lighttrack_mobile", tmp_path / "fine.pth")


def test_a_checkpoint_of_another_model_names_what_is_missing(tmp_path):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ArtifactError, match=r"no checkpoint of lighttrack_mobile: missing features\.conv_stem"):
        load("lighttrack_mobile", tmp_path / "other.pth")


@pytest.mark.parametrize("text", [MOBILE, OTHERS[0]])
def test_shapes_follow_the_stride_of_the_output(text):
    architecture = parse(text)
    network = LightTrack(architecture).eval()
    with torch.no_grad():
        kernels = network.template(torch.zeros(2, 3, 127, 127))
        cls, loc = network.correlate(network.search(torch.zeros(2, 3, 256, 256)), kernels)
    cells = 256 // architecture.stride
    assert kernels["kernel_pw"].shape == (2, cells**2 // 4, architecture.channels, 1, 1)
    assert cls.shape == (2, 2, cells, cells)
    assert loc.shape == (2, 4, cells, cells)


def test_crops_are_normalised_as_the_published_code_does_before_they_are_padded():
    network = build("lighttrack_mobile").eval()
    bgr = torch.rand(1, 3, 9, 9) * 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    wanted = (bgr.flip(1) / 255 - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(network.normalise(bgr), wanted, atol=1e-5, rtol=1e-5)
    assert not any(key.startswith("normalise") for key in network.state_dict())


def test_folding_changes_no_map_and_leaves_the_neck_without_norms():
    network = seeded("lighttrack_mobile", 0)
    for norm in (network.neck.BN_z, network.neck.BN_x):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -1, 1)
    crops = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 256, 256) * 255
    with torch.no_grad():
        before = network(*crops)
        network.fold()
        network.fold()  # twice is once
        after = network(*crops)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.neck.modules())
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5 * float(one.abs().max()), rtol=1e-5)


@pytest.mark.parametrize("kernel_inputs", [False, True])
def test_the_exported_card_carries_the_architecture_the_work_and_the_squared_rate(tmp_path, kernel_inputs):
    network = seeded("lighttrack_mobile", 0)
    write(network, "lighttrack_mobile", tmp_path, checkpoint=None, command="make export", kernel_inputs=kernel_inputs)
    card = ModelCard.load(tmp_path)
    assert (card.architecture, card.tracker.size_rate_power) == (MOBILE, 2.0)
    assert card.graph("search").macs == 331_537_920 + 24_576  # as profiled, and the neck's norm as a convolution
    assert card.graph("xcorr").macs == 181_821_440
    assert [(kernel.name, kernel.shape) for kernel in card.kernels] == [("kernel_pw", (64, 96, 1, 1))]
    assert max(card.parity.values()) < 1e-5
    assert spec("lighttrack_mobile").tracker == card.tracker


def test_the_published_weights_give_the_maps_of_their_own_runtime(reference_data):
    """Eight cells of each map that OpenVINO computed from the graphs the weights were read from."""
    network = load("lighttrack_mobile", reference_data / "weights/lighttrack_mobile/lighttrack_mobile_folded_fp16.pth")
    ramp = torch.arange(256.0)
    search = torch.stack([ramp[:, None].expand(256, 256), ramp.expand(256, 256), (ramp + ramp[:, None]) % 256])[None]
    template = search[..., 64:192, 64:192].contiguous()
    with torch.no_grad():
        cls, loc = network(template, search)
    np.testing.assert_allclose(torch.sigmoid(cls[0, 1]).numpy()[GOLDEN_CELLS], GOLDEN_SCORES, atol=2e-6)
    np.testing.assert_allclose(loc[0].numpy()[(slice(None), *GOLDEN_CELLS)].T, GOLDEN_SIDES_PX, atol=2e-4)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("back_0444000000000000000+cls_012222222+reg_002222222_ops_20", "its architecture is none: "),
        (
            f"back_044{'0' * 16}0+cls_011222222+reg_002222222_ops_20",
            "calls itself .*cls_011222222.*, but its weights are",
        ),
    ],
)
def test_a_checkpoint_that_calls_itself_another_network_is_refused(tmp_path, text, complaint):
    own = f"back_044{'0' * 16}0+cls_012222222+reg_002222222_ops_20"
    state = LightTrack(parse(own)).state_dict()
    path = tmp_path / "named.pth"
    torch.save({"state_dict": state, "architecture": own}, path)
    assert load("lighttrack_mobile", path).architecture == own
    torch.save({"state_dict": state, "architecture": text}, path)
    with pytest.raises(ArtifactError, match=complaint):
        load("lighttrack_mobile", path)
