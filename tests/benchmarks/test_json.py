"""``--json``: what a command that prints a table prints in its place."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import benchmarks
from tests.benchmarks.reports.call import call

COMMANDS = Path(benchmarks.__file__).parent / "commands"
# What these print is a path, or the lines of work that goes on; demo's is the report of a first try.
WITHOUT_A_TABLE = {"bench", "cross_check", "demo", "vot", "vot_workspace", "__init__"}


def calls(path):
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.func.attr for node in tree if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}


@pytest.mark.parametrize("path", sorted(COMMANDS.glob("*.py")), ids=lambda path: path.stem)
def test_every_command_that_prints_a_table_prints_it_as_json_too(path):
    assert {"add_json", "show"} <= calls(path) or path.stem in WITHOUT_A_TABLE


def figures(capsys, command, *argv):
    """What a command prints, as JSON and nothing else."""
    capsys.readouterr()
    assert call(command, *argv, "--json", "--quiet") == 0
    return json.loads(capsys.readouterr().out)


def test_layers_and_their_comparison(tiny_engines, tmp_path, capsys):
    report = tmp_path / "layers.json"
    layers = figures(capsys, "layers", "--engines", tiny_engines, "--runs", 2, "--threads", 1, "--out", report)
    assert layers["layers"] == json.loads(report.read_text())["layers"]
    compared = figures(capsys, "compare", report, report, "--by", "graph")
    assert [{entry["graph"] for entry in one["ms"]} for one in compared["layers"]] == [
        {"target", "search", "xcorr"}
    ] * 2


def test_reports_side_by_side(benched, capsys):
    compared = figures(capsys, "compare", benched / "report.json", benched / "report.json")
    assert len(compared["rows"]) > 5
    assert compared["layers"]


def test_speed(tiny_engines, two_clips, capsys):
    argv = ["--engines", tiny_engines, "--clip", two_clips / "one", "--threads", 1, "--warm-up", 0, "--idle-s", 0]
    report = figures(capsys, "speed", *argv, "--probe", "none")
    assert report["figures"]
    assert report["videos"][0]["name"] == "one"


def test_drift(two_clips, tmp_path, capsys):
    truth = two_clips / "one" / "groundtruth.txt"
    assert figures(capsys, "drift", "--boxes", truth, "--reference", truth)["mean_overlap"] == pytest.approx(1)


def test_ope_and_evaluate(tiny_engines, two_clips, tmp_path, capsys):
    argv = ["--sequences", two_clips, "--only", "one", "--engines", tiny_engines, "--threads", 1, "--tracker", "tiny"]
    measures = figures(capsys, "ope", *argv, "--out", tmp_path / "ope")
    assert 0 <= measures["tiny"]["success_auc"] <= 1
    assert call("vot", *argv, "--out", tmp_path / "vot") == 0
    argv = ["--annotations", two_clips, "--only", "one", "--results", tmp_path / "vot" / "results"]
    (measures,) = figures(capsys, "evaluate", *argv).values()
    assert measures["sequences"].keys() == {"one"}


def test_a_clip_is_no_table(tmp_path, capsys):
    with pytest.raises(SystemExit):
        call("clip", "--out", tmp_path / "clip", "--json")
    assert "unrecognized arguments: --json" in capsys.readouterr().err
