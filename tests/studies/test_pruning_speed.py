"""Graphs are timed in turns, each beside the first of its own precision."""

from __future__ import annotations

import json
from collections import Counter

import onnx

from siamtrt import cli
from studies import pruning_speed
from studies.pruning_speed import in_int8


def test_a_graph_for_speed_computes_its_convolutions_in_integers(tiny_onnx):
    whole = onnx.load(str(tiny_onnx / "search.onnx"))
    kinds = Counter(node.op_type for node in in_int8(whole).graph.node)
    assert kinds["DequantizeLinear"] >= sum(node.op_type == "Conv" for node in whole.graph.node) > 0


def test_each_precision_has_a_first_of_its_own(tiny_onnx, tmp_path, capsys):
    out = tmp_path / "speed.json"
    words = ["--engines", tiny_onnx, tiny_onnx, "--int8", "--turns", 2, "--out", out]
    assert cli.run(pruning_speed.main, pruning_speed._arguments(), [*map(str, words)]) == 0
    document = json.loads(out.read_text())
    assert document["command"].startswith("python -m studies.pruning_speed")
    assert len(document["engines_manifest"]["files"]) == 1
    rows = document["rows"]
    assert [row["precision"] for row in rows] == ["fp32", "fp32", "int8", "int8"]
    assert [len(row["processor_ms"]) for row in rows] == [2] * 4
    assert rows[0]["ratio"] == rows[2]["ratio"] == 1
    assert "int8 work 1.000" in capsys.readouterr().out
