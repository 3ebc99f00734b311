"""Ranges come back as they were written, and only for the graph they were measured on."""

import json
from pathlib import Path

import pytest

from siamtrt import ArtifactError
from siamtrt.files import sha256
from siamtrt.ranges import Ranges, TensorRange, file_name

RANGE = TensorRange(low=-0.5, high=6.0, amax=5.5, method="entropy")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "search.onnx"
    path.write_bytes(b"a graph")
    return path


def test_come_back_as_written(graph: Path) -> None:
    path = graph.parent / file_name("search")
    written = Ranges(sha256(graph), {"feature_p4": RANGE})
    written.save(path)
    assert Ranges.load(path, onnx=graph) == written


def test_the_way_out_for_another_model_does_not_overwrite_the_ranges_at_hand(tmp_path: Path) -> None:
    graph, path = tmp_path / "r50" / "onnx" / "search.onnx", tmp_path / "lite0" / "calibration" / "search.ranges.json"
    graph.parent.mkdir(parents=True)
    graph.write_bytes(b"a graph")
    Ranges("0" * 64, {"feature_p4": RANGE}).save(path)
    with pytest.raises(ArtifactError, match=f"--out {tmp_path}/r50/calibration$"):
        Ranges.load(path, onnx=graph)


def test_of_another_graph_are_refused(graph: Path) -> None:
    path = graph.parent / "search.ranges.json"
    Ranges("0" * 64, {"feature_p4": RANGE}).save(path)
    with pytest.raises(ArtifactError, match="measured on another graph"):
        Ranges.load(path, onnx=graph)


@pytest.mark.parametrize(
    "change",
    [
        {"low": 0.5},
        {"high": -0.1},
        {"low": 0.0, "high": 0.0},
        {"amax": 0.0},
        {"amax": -1.0},
        {"high": float("nan")},
        {"amax": float("inf")},
        {"amax": "much"},
        {"unit": "px"},
    ],
)
def test_damaged_ranges_are_refused(graph: Path, change: dict) -> None:
    fields = {"low": -0.5, "high": 6.0, "amax": 5.5, "method": "entropy", **change}
    path = graph.parent / "search.ranges.json"
    path.write_text(json.dumps({"schema": 1, "onnx_sha256": sha256(graph), "tensors": {"x": fields}}))
    with pytest.raises(ArtifactError, match=r"is not a file of activation ranges"):
        Ranges.load(path, onnx=graph)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"schema": 2}, "of schema 1: it is of schema 2"),
        ({"schema": 1}, "is not a file of activation ranges: onnx_sha256, tensors missing"),
        ({"schema": 1, "onnx_sha256": "", "tensors": []}, r"is not a file of activation ranges: tensors is \[\]"),
    ],
)
def test_other_documents_are_refused(graph: Path, document: dict, said: str) -> None:
    path = graph.parent / "search.ranges.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match=said):
        Ranges.load(path, onnx=graph)
