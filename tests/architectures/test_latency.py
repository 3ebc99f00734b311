from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from architectures.cost import deployed_macs, parts
from architectures.latency import LatencyTable, attribute, carriers, tabulate
from benchmarks.profiling.layers.layer_report import Layer, LayerReport
from networks.lighttrack.architecture import MOBILE, parse
from networks.lighttrack.space import WholeSpace
from siamtrt import ArtifactError, UsageError

LAYERS = {  # part of a network -> the name of a layer of it, as ONNX Runtime has them
    "stem": "features.conv_stem_nchwc",
    "neck": "feature_pw_nchwc",
    "correlation": "correlation_pw_nchwc",
    "gate": "feature_fusor.pw_corr.CA_layer.fc1/Relu_nchwc",
    "adjust": "feature_fusor.adj_layer_nchwc",
    "cls_pred": "cls_nchwc",
    "reg_pred": "loc_nchwc",
}


def layer(name, milliseconds, macs=0, kind="Conv"):
    return Layer("search", name, kind, "float32", (1,), milliseconds, macs, 0)


def report_of(architecture, **changes):
    """A device that takes 1 ms for a part and 1 ms more for each 10 M multiply-accumulates."""
    layers = []
    for part, cost in parts(architecture).items():
        spelled = f"features.{part}.conv_pw_nchwc" if part.startswith("blocks") else f"head.{part}.pointwise/Relu_nchwc"
        layers.append(layer(LAYERS.get(part, spelled), 1 + cost.macs / 1e7, cost.macs))
        layers.append(layer("ReorderOutput_token_3", 0.25, kind="ReorderOutput"))
    layers.append(layer("normalise_nchwc", 0.5, deployed_macs(architecture) - sum(one.macs for one in layers)))
    title = "lighttrack_mobile onnxruntime target=fp32,search=fp32,xcorr=fp32, 1.96 M parameters, 513 MMAC"
    report = LayerReport(title, 50, tuple(layers), {"cpu": "one", "power_mode": None}, {})
    return replace(report, **changes)


@pytest.fixture
def reports(tmp_path):
    paths = [tmp_path / f"layers_{number}.json" for number in range(6)]
    for path, architecture in zip(paths, carriers()):
        report_of(architecture).save(path)
    return paths


def test_the_carriers_hold_every_choice_in_every_place():
    strings = [str(architecture) for architecture in carriers()]
    assert strings[3] == "back_0" + "3" * 14 + "00000" + "+cls_111111111+reg_111111111_ops_33"
    assert {tower.width for one in carriers() for tower in (one.cls, one.reg)} == {128, 192, 256}


def test_a_table_predicts_networks_that_were_never_profiled(reports):
    table, rng, space = tabulate(reports), np.random.default_rng(0), WholeSpace()
    for _ in range(20):
        architecture = space.architecture(tuple(map(int, rng.integers(0, space.sizes))))
        measured = sum(one.ms_p50 for one in report_of(architecture).layers)
        assert table.predict(architecture) == pytest.approx(measured, rel=0.02)  # 80 channels come as 96
    mobile = parse(MOBILE)
    assert table.predict(mobile) == pytest.approx(sum(one.ms_p50 for one in report_of(mobile).layers), rel=0.002)


def test_every_millisecond_of_a_report_is_in_one_part(reports):
    carrier = carriers()[4]
    layers = list(report_of(carrier).layers)
    times = attribute(layers, parts(carrier), reports[4])
    assert sum(times.values()) == pytest.approx(sum(one.ms_p50 for one in layers))
    assert times["cls_pred"] == pytest.approx(1 + 589_824 / 1e7 + 0.25)


def test_a_layer_that_joins_parts_is_split_by_their_work(reports):
    costs = parts(parse(MOBILE))
    joined = layer("features.blocks.1.1.conv_pwl + features.blocks.2.0.conv_pw", 10.0)
    times = attribute([joined], costs, reports[0])
    one, other = costs["blocks.1.1"].macs, costs["blocks.2.0"].macs
    assert times == pytest.approx({"blocks.1.1": 10 * one / (one + other), "blocks.2.0": 10 * other / (one + other)})


def test_the_fusion_weighs_by_its_work_too(reports):
    costs = parts(parse(MOBILE))
    joined = layer("feature_fusor.adj_layer + head.cls_tower.0.conv1", 10.0)
    times = attribute([joined], costs, reports[0])
    fusion = sum(costs[part].macs for part in ("neck", "correlation", "gate", "adjust"))
    assert times["fusion"] == pytest.approx(10 * fusion / (fusion + costs["cls_tower.0"].macs))


def test_a_part_that_no_layer_names_is_an_error_and_not_free(reports):
    report = report_of(carriers()[0])
    kept = [one for one in report.layers if not one.name.startswith(("features.blocks.2.1", "ReorderOutput"))]
    kept[0] = replace(kept[0], macs=kept[0].macs + parts(carriers()[0])["blocks.2.1"].macs)
    replace(report, layers=tuple(kept)).save(reports[0])
    with pytest.raises(ArtifactError, match=r"layers_0\.json: no layer's name tells of blocks\.2\.1"):
        tabulate(reports)


def test_a_layer_that_names_a_part_the_network_lacks_is_of_no_known_part(reports):
    layers = [layer("features.blocks.1.1.conv_pwl", 8.0), layer("features.blocks.4.3.conv_pwl", 2.0)]
    with pytest.raises(ArtifactError, match="20% of the time belongs to no known part"):
        attribute(layers, parts(parse(MOBILE)), reports[0])


def test_networks_of_another_stride_are_not_predicted(reports):
    fine = parse(MOBILE[:-2] + "13")
    with pytest.raises(UsageError, match=r"_ops_13 has stride 8, the table is of networks of stride 16"):
        tabulate(reports).predict(fine)


def test_a_table_keeps_what_its_times_hold_for(reports):
    for path, architecture in zip(reports, carriers(), strict=True):
        packages = {"onnxruntime": "1.31.1", "numpy": path.stem}
        report_of(architecture, environment={"cpu": "one", "packages": packages}, threads=1).save(path)
    environment = tabulate(reports).environment
    assert (environment["cpu"], environment["onnxruntime"], environment["threads"]) == ("one", "1.31.1", "1")
    assert environment["tensorrt"] == "None"


def test_time_of_no_known_part_is_an_error(reports):
    layers = [layer("features.blocks.1.1.conv_pwl", 8.0), layer("mystery", 2.0)]
    with pytest.raises(ArtifactError, match="20% of the time belongs to no known part"):
        attribute(layers, parts(parse(MOBILE)), reports[0])


def test_a_table_proves_the_reports_behind_it(reports, tmp_path):
    tabulate(reports).save(tmp_path / "lut.json")
    assert LatencyTable.load(tmp_path / "lut.json") == tabulate(reports)
    reports[2].write_text(reports[2].read_text().replace("0.25", "0.24", 1))
    with pytest.raises(ArtifactError, match=r"layers_2\.json, which is gone or has changed"):
        LatencyTable.load(tmp_path / "lut.json")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"title": "lighttrack_mobile onnxruntime target=fp16,search=fp16,xcorr=fp16, 513 MMAC"}, "fp16"),
        ({"environment": {"cpu": "another"}}, "otherwise than the first report: cpu"),
        ({"environment": {"cpu": "one", "packages": {"onnxruntime": "1.20.0"}}}, "the first report: onnxruntime"),
        ({"threads": 2}, "otherwise than the first report: threads"),
    ],
)
def test_reports_of_different_machines_or_precisions_are_refused(reports, changes, complaint):
    report_of(carriers()[5], **changes).save(reports[5])
    with pytest.raises(ArtifactError, match=complaint):
        tabulate(reports)


def test_reports_in_another_order_or_number_are_refused(reports):
    with pytest.raises(ArtifactError, match="multiply-accumulates, expected the"):
        tabulate([reports[1], reports[0], *reports[2:]])
    with pytest.raises(ArtifactError, match="6 layer reports, these are 5"):
        tabulate(reports[:5])
