"""Every command on a page is one that can be typed: targets, variables and options are those of the code."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess

import pytest

from siamtrt import cli
from tests.docs.pages import ROOT, commands

COMMANDS = commands()
MAKEFILE = (ROOT / "Makefile").read_text()
VARIABLES = {*re.findall(r"^##\? (\w+)=", MAKEFILE, re.MULTILINE), "KEEP", "MAX_DRIFT"}
# Programs of others. What a word of a path stands for is not checked, a script of ours has to be there.
OTHERS = {"pip", "rsync", "docker", "nvpmodel", "jetson_clocks", "apt", "sh", "torchrun", "vot", "trtexec"}
TABLES = ("benchmarks", "runtime", "serving")


def of(program):
    chosen = [command for command in COMMANDS if re.match(program, command.line)]
    return pytest.mark.parametrize("command", chosen, ids=[f"{page}: {line}" for page, line, _ in chosen])


@of(r"make\b")
def test_make_knows_the_target_and_the_variables(command, tmp_path):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    _, *words = shlex.split(command.line)
    assert {word.partition("=")[0] for word in words if "=" in word} <= VARIABLES
    assert all(re.search(rf"^{word}:.*##", MAKEFILE, re.MULTILINE) for word in words if "=" not in word)
    if not command.whole:
        return
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    done = subprocess.run(
        ["make", "-n", "PYTHON=./python", "BOARD=", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@of(r"python3? -m (?!pip |pytest |studies\.|STAGE)|torchrun ")
def test_python_knows_the_options(command):
    stage, *words = shlex.split(re.sub(r".* -m ", "", command.line))
    words = ["1" if word == "N" else word for word in words if word != "..."]
    if stage in TABLES:
        parser = cli.table(stage, "", importlib.import_module(f"{stage}.__main__").COMMANDS, words)
    else:
        if stage in ("export", "training", "networks"):
            pytest.importorskip("torch", reason="needs torch")
        parser = importlib.import_module(f"{stage}.__main__")._arguments()
    if command.whole and not stage.startswith("training"):
        parser.parse_args(words)
    elif command.whole or words:
        known, parsers = set(), [parser]
        for each in parsers:
            known |= set(each._option_string_actions)
            for action in each._actions:
                parsers += (action.choices or {}).values() if isinstance(action.choices, dict) else ()
        assert {word for word in words if word.startswith("--")} <= known
        if stage in TABLES and not words[0].startswith("-"):
            assert words[0] in {name for name, *_ in importlib.import_module(f"{stage}.__main__").COMMANDS}


@of(r"python3? -m studies\.")
def test_a_study_is_there(command):
    assert importlib.util.find_spec(command.line.split()[2])


def test_the_rest_are_programs_of_others_and_scripts_that_are_there():
    for page, line, whole in COMMANDS:
        words = [word for word in line.split() if "=" not in word.partition("/")[0]]
        if whole and not re.match(r"(make|python3?)\b", line):
            assert words[0] in OTHERS, f"{page}: {line}"
            assert words[0] != "sh" or (ROOT / words[1]).is_file(), f"{page}: {line}"


def test_the_pages_have_commands_of_every_kind():
    """So that a page whose blocks are no longer found does not pass unseen."""
    for kind, least in (("make", 30), ("python", 20), ("rsync", 1), ("docker", 1)):
        assert sum(line.startswith(kind) for _, line, _ in COMMANDS) >= least
