"""Engines that were calibrated on what judges them: refused everywhere, and where insisted on, said everywhere."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from benchmarks.__main__ import COMMANDS
from sequences.rendered.command import write_clip
from siamtrt import ModelCard, cli
from siamtrt.files import sha256


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    root = tmp_path_factory.mktemp("sequences")
    for name, seed in (("one", 1), ("two", 2)):
        write_clip(root / name, seed, 8)
    return root


@pytest.fixture
def leaky(tiny_engines, tmp_path):
    """Engines whose manifest says that they were calibrated on ``two``."""
    folder = tmp_path / "leaky"
    shutil.copytree(tiny_engines, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["settings"]["calibration_sources"] = ["two", "elsewhere"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", *map(str, argv)])


@pytest.mark.parametrize("command", ["vot", "ope", "vot-workspace"])
def test_it_is_refused_unless_insisted_on(leaky, sequences, tmp_path, capsys, command):
    argv = [command, "--engines", leaky, "--sequences", sequences, "--out", tmp_path / "out", "--threads", 1]
    assert run(*argv) == 2
    assert "was calibrated on two, so it cannot be judged on them" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(*argv, "--allow-leak") == 0
    assert "judged on sequences that calibrated or pruned the engines: two" in capsys.readouterr().err


def test_one_pass_figures_say_it_now_and_later(leaky, sequences, tmp_path, capsys):
    argv = ["ope", "--sequences", sequences, "--out", tmp_path]
    assert run(*argv, "--engines", leaky, "--tracker", "T", "--threads", 1, "--allow-leak") == 0
    assert "T was calibrated or pruned on two" in capsys.readouterr().out
    assert run(*argv) == 0
    assert "T was calibrated or pruned on two" in capsys.readouterr().out
    assert json.loads((tmp_path / "ope.json").read_text())["leaked"] == {"T": ["two"]}


@pytest.mark.parametrize(("only", "leaked"), [(["one"], None), (["one", "two"], {"T": ["two"]})])
def test_the_measures_of_a_run_with_resets_say_it(leaky, sequences, tmp_path, capsys, only, leaked):
    argv = ["--sequences", sequences, "--out", tmp_path, "--tracker", "T", "--threads", 1, "--allow-leak"]
    assert run("vot", "--engines", leaky, *argv) == 0
    capsys.readouterr()
    argv = ["--annotations", sequences, "--results", tmp_path / "results", "--out", tmp_path / "e.json"]
    assert run("evaluate", *argv, "--sequences", *only) == 0
    assert ("T was calibrated or pruned on two" in capsys.readouterr().out) == (leaked is not None)
    assert json.loads((tmp_path / "e.json").read_text()).get("leaked") == leaked


@pytest.fixture
def variant(tiny_engines, tmp_path):
    """Engines whose card says that they were pruned on ``two``."""
    folder = tmp_path / "m62"
    shutil.copytree(tiny_engines, folder)
    card = replace(ModelCard.load(folder), variant="m62", sources=("two", "elsewhere"))
    card.save(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.json"] = sha256(folder / "model.json")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_variant_is_not_judged_on_what_it_was_pruned_on(variant, sequences, tmp_path, capsys):
    argv = ["ope", "--engines", variant, "--sequences", sequences, "--out", tmp_path / "out", "--threads", 1]
    assert run(*argv) == 2
    assert "was pruned on two, so it cannot be judged on them" in capsys.readouterr().err
    assert run(*argv, "--only", "one") == 0
    assert (tmp_path / "out" / "results" / "tiny-m62-onnxruntime-fp32").is_dir()


def test_models_side_by_side_are_refused_what_made_one_of_them(tiny_engines, variant, sequences, tmp_path, capsys):
    out = tmp_path / "judged.json"
    argv = ["judge", "--models", tiny_engines, variant, "--videos", sequences, "--out", out, "--threads", 1]
    assert run(*argv) == 2
    assert "was pruned on two, so it cannot be judged on them" in capsys.readouterr().err
    assert not out.exists()
    assert run(*argv, "--held-out", "one") == 0
    assert "leaked" not in out.read_text()
    capsys.readouterr()
    assert run(*argv, "--allow-leak") == 0
    name = "/".join(variant.resolve().parts[-3:])
    assert f"{name} was calibrated or pruned on two" in capsys.readouterr().out
    models = json.loads(out.read_text())["models"]
    assert {key: model.get("leaked") for key, model in models.items() if "leaked" in model} == {name: ["two"]}


def test_engines_calibrated_on_a_video_are_not_judged_on_it(leaky, sequences, tmp_path, capsys):
    argv = ["judge", "--models", leaky, "--videos", sequences, "--out", tmp_path / "judged.json", "--threads", 1]
    assert run(*argv) == 2
    assert "was calibrated on two, so it cannot be judged on them" in capsys.readouterr().err
