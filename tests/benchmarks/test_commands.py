"""What holds for the commands of ``python -m benchmarks`` as a whole."""

from __future__ import annotations

import argparse
import ast
import importlib
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.options import RunOptions

ROOT = Path(benchmarks.__file__).parent
FLAGS = ("--engines", "--sequences", "--only", "--protocol", "--threads", "--allow-leak")


def declared():
    """Every flag of every ``add_argument`` below benchmarks."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                yield from (word.value for word in node.args if isinstance(word, ast.Constant))


@pytest.mark.parametrize("flag", FLAGS)
def test_an_option_of_runs_is_declared_once(flag):
    assert list(declared()).count(flag) == 1


def test_every_field_of_the_options_has_its_flag():
    assert {f"--{field.name.replace('_', '-')}" for field in fields(RunOptions)} == set(FLAGS)


def test_one_file_alone_turns_documents_into_json():
    assert [path for path in ROOT.rglob("*.py") if "write_text(json.dumps" in path.read_text(encoding="utf-8")] == []
    assert [path for path in ROOT.rglob("*.py") if ", json.dumps(" in path.read_text(encoding="utf-8")] == []


def test_options_that_a_command_did_not_declare_have_their_defaults():
    assert RunOptions.of(argparse.Namespace(threads=2, only=["a", "b"])) == RunOptions(threads=2, only=("a", "b"))
    assert RunOptions.of(argparse.Namespace()) == RunOptions()


def test_every_command_is_in_the_table_and_its_options_can_be_declared():
    for _, module, _ in COMMANDS:
        importlib.import_module(module).add_arguments(argparse.ArgumentParser())
    files = {f"benchmarks.commands.{path.stem}" for path in (ROOT / "commands").glob("[a-z]*.py")}
    assert files == {module for _, module, _ in COMMANDS if module.startswith("benchmarks.")}


def test_power_needs_numpy_alone():
    """A board's own Python, which sudo runs, has neither OpenCV nor the libraries of a virtual environment."""
    code = """
import sys
for name in ("cv2", "onnx", "onnxruntime", "tqdm"):
    sys.modules[name] = None
from benchmarks.__main__ import COMMANDS
from siamtrt import cli
sys.exit(cli.run_table("benchmarks", "", COMMANDS, ["power", "--probe", "ina3221", "--root", "nowhere"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("error: this machine has no INA3221 power monitor"), done.stderr
    assert done.returncode == 8
