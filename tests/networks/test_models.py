from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from networks.checkpoint import load
from networks.models import MODELS, build, spec
from networks.seeded import seeded
from networks.tracker import correlation
from networks.trunks.efficientnet_lite import EfficientNetLite0
from siamtrt import UsageError
from tests.networks.thin import LEVELS, thin_siamrpn

# What PySOT's own modules have: tensors with num_batches_tracked, parameters, GMAC of the search branch.
PYSOT = {
    "siamrpn_r50": (458, 53_950_624, 48.44),
    "siamrpn_r50_lt": (458, 60_018_336, None),
    "siamrpn_mobilenetv2": (450, 11_150_446, None),
    "siamrpn_alexnet": (75, 6_251_102, 6.383),  # by hand: 139^2 96 363 + 65^2 256 2400 + 30^2 384 2304 + ...
}


def search_gmac(name):
    network, total = build(name).eval(), [0]

    def count(module, inputs, output):
        total[0] += output.numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        network.search(torch.zeros(1, 3, spec(name).search_px, spec(name).search_px))
    return total[0] / 1e9


@pytest.mark.parametrize("name", PYSOT)
def test_tensors_and_parameters_are_as_many_as_pysots(name):
    network = build(name)
    assert len(network.state_dict()) == PYSOT[name][0]
    assert sum(parameter.numel() for parameter in network.parameters()) == PYSOT[name][1]


@pytest.mark.parametrize("name", [name for name, row in PYSOT.items() if row[2]])
def test_the_search_branch_costs_what_pysots_does(name):
    assert search_gmac(name) == pytest.approx(PYSOT[name][2], abs=0.005)


def profiled_gmac(name):
    """Search and correlation, a norm counted as two operations a value and a bias as one, as profilers do."""
    network, total, size = build(name).eval(), [0], spec(name).search_px

    def count(module, inputs, output):
        if isinstance(module, nn.Conv2d):
            total[0] += output.numel() * (module.weight[0].numel() + (module.bias is not None))
        else:
            total[0] += 2 * output.numel()

    with torch.no_grad():
        kernels = network.template(torch.zeros(1, 3, 127, 127))
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
                module.register_forward_hook(count)
        cls, _ = network.correlate(network.search(torch.zeros(1, 3, size, size)), kernels)
    return (total[0] + cls[0, 0].numel() * sum(kernel.numel() for kernel in kernels.values())) / 1e9


@pytest.mark.parametrize(("name", "gmac"), [("siamrpn_mobilenetv2", 6.98), ("siamrpn_alexnet", 6.46)])
def test_search_and_correlation_cost_what_pysots_do(name, gmac):
    assert profiled_gmac(name) == pytest.approx(gmac, abs=0.005)


def test_the_small_model_costs_less_than_a_gmac():
    assert search_gmac("siamrpn_lite0") < 1.0


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("siamrpn_r50", "backbone.layer4.0.downsample.1.running_var"),
        ("siamrpn_r50", "rpn_head.rpn3.cls.conv_kernel.0.weight"),
        ("siamrpn_r50", "rpn_head.loc_weight"),
        ("siamrpn_mobilenetv2", "backbone.layer1.0.conv.6.weight"),
        ("siamrpn_alexnet", "rpn_head.loc.head.3.bias"),
        ("nanotrack_v3", "ban_head.corr_pw_reg.CA_layer.fc2.weight"),
    ],
)
def test_keys_are_those_of_the_published_checkpoints(name, key):
    assert key in build(name).state_dict()


def test_unweighted_models_have_no_fusion_weights():
    for name in ("siamrpn_r50_otb", "siamrpn_mobilenetv2"):
        assert not [key for key in build(name).state_dict() if key.endswith(("cls_weight", "loc_weight"))]


@pytest.mark.parametrize("name", ["siamrpn_mobilenetv2", "siamrpn_alexnet", "siamrpn_lite0", "nanotrack_v3"])
def test_shapes_of_kernels_features_and_maps(name):
    wanted = {
        "siamrpn_mobilenetv2": ((256, 1, 5, 5), (256, 29, 29), 25),
        "siamrpn_alexnet": ((256, 1, 4, 4), (256, 24, 24), 21),
        "siamrpn_lite0": ((64, 1, 5, 5), (64, 29, 29), 25),
        "nanotrack_v3": ((64, 96, 1, 1), (96, 16, 16), 15),
    }[name]
    network, size = build(name).eval(), spec(name).search_px
    with torch.no_grad():
        kernels, features = network.template(torch.zeros(2, 3, 127, 127)), network.search(torch.zeros(2, 3, size, size))
        cls, loc = network.correlate(features, kernels)
    assert tuple(next(iter(kernels.values())).shape[1:]) == wanted[0]
    assert tuple(next(iter(features.values())).shape[1:]) == wanted[1]
    assert cls.shape[2:] == loc.shape[2:] == (wanted[2], wanted[2])
    assert loc.shape[1] == 2 * cls.shape[1]


def test_each_sample_meets_its_own_kernel():
    torch.manual_seed(0)
    features, kernels = torch.rand(3, 4, 9, 9), torch.rand(3, 4, 1, 5, 5)
    together = correlation(features, kernels)
    for index in range(3):
        alone = correlation(features[index : index + 1], kernels[index])
        torch.testing.assert_close(together[index], alone[0])


def test_a_correlation_does_not_flip_its_kernel():
    feature, kernel = torch.zeros(1, 1, 5, 5), torch.arange(9.0).reshape(1, 1, 3, 3)
    feature[0, 0, 1, 1] = 1
    assert correlation(feature, kernel)[0, 0].tolist() == [[4, 3, 0], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("weighted", [True, False])
def test_folding_the_fusion_changes_no_output(weighted):
    torch.manual_seed(1)
    network = thin_siamrpn(weighted=weighted).eval()
    if weighted:
        network.rpn_head.cls_weight.data = torch.tensor([0.3, 2.0, -1.0])
        network.rpn_head.loc_weight.data = torch.tensor([1.0, 0.0, 0.5])
    crops = torch.rand(1, 3, 127, 127), torch.rand(1, 3, 255, 255)
    with torch.no_grad():
        before = network(*crops)
        network.fold()
        after = network(*crops)
    for one, other in zip(before, after):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_the_fusion_is_a_softmax_of_the_checkpoints_weights():
    network = thin_siamrpn()
    network.rpn_head.cls_weight.data = torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(network.fusion("cls"), torch.tensor([0.0900, 0.2447, 0.6652]), atol=1e-4, rtol=0)
    torch.testing.assert_close(thin_siamrpn(weighted=False).fusion("loc"), torch.full((3,), 1 / 3))
    assert network.levels == LEVELS


def test_seeded_weights_repeat_and_keep_signals_alive():
    crops = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
    with torch.no_grad():
        outputs = [seeded("siamrpn_lite0", seed)(*crops)[0] for seed in (0, 0, 1)]
    torch.testing.assert_close(outputs[0], outputs[1], atol=0, rtol=0)
    assert not torch.allclose(outputs[0], outputs[2])
    assert 0.1 < float(outputs[0].std()) < 1000


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="unknown model 'yolo'\n  try: one of siamrpn_lite0"):
        build("yolo")
    assert set(MODELS) >= {"siamrpn_r50", "siamrpn_r50_lt", "siamrpn_r50_otb", "nanotrack_v3"}


def test_the_lite_trunk_has_the_cells_of_the_published_geometry():
    trunk = EfficientNetLite0().eval()
    with torch.no_grad():
        assert [tuple(f.shape[1:]) for f in trunk(torch.zeros(1, 3, 127, 127))] == [(w, 15, 15) for w in (40, 80, 112)]
        assert [tuple(f.shape[1:]) for f in trunk(torch.zeros(1, 3, 255, 255))] == [(w, 31, 31) for w in (40, 80, 112)]


def test_nanotrack_equals_its_published_graphs(reference_data):
    folder = reference_data / "weights" / "nanotrackv3"
    network = load("nanotrack_v3", folder / "nanotrackv3.pth")
    generator = torch.Generator().manual_seed(0)
    search = (torch.rand(1, 3, 16, 16, generator=generator) * 255).repeat_interleave(16, 2).repeat_interleave(16, 3)
    search = search[..., :255, :255].contiguous()
    template = search[..., 64:191, 64:191].contiguous()
    backbone, head = (
        onnxruntime.InferenceSession(str(folder / f"nanotrack_{part}.onnx"), providers=["CPUExecutionProvider"])
        for part in ("backbone", "head")
    )
    inputs = {
        "input1": network.backbone(template).detach().numpy(),
        "input2": backbone.run(None, {"input": search.numpy()})[0],
    }
    wanted_cls, wanted_loc = head.run(["output1", "output2"], inputs)
    with torch.no_grad():
        cls, loc = network(template, search)
    np.testing.assert_allclose(cls.numpy(), wanted_cls, atol=1e-4)
    np.testing.assert_allclose(loc.numpy(), wanted_loc, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "penalty_k", "window_influence", "lr", "search_px"),
    [
        ("siamrpn_r50", 0.05, 0.42, 0.38, 255),
        ("siamrpn_r50_otb", 0.24, 0.50, 0.25, 255),
        ("siamrpn_r50_lt", 0.05, 0.28, 0.22, 255),
        ("siamrpn_mobilenetv2", 0.04, 0.40, 0.50, 255),
        ("siamrpn_alexnet", 0.16, 0.40, 0.30, 287),
        ("nanotrack_v3", 0.138, 0.455, 0.348, 255),
    ],
)
def test_each_model_has_its_experiments_constants(name, penalty_k, window_influence, lr, search_px):
    model = spec(name)
    assert (model.tracker.penalty_k, model.tracker.window_influence, model.tracker.lr) == (
        penalty_k,
        window_influence,
        lr,
    )
    assert (model.tracker.context, model.tracker.min_side_px) == (0.5, 10)
    assert (model.template_px, model.search_px) == (127, search_px)
    if model.family == "rpn":
        assert (model.stride, model.anchor_ratios, model.anchor_scales) == (8, (0.33, 0.5, 1.0, 2.0, 3.0), (8.0,))
