"""Every command on a page is one that can be typed: targets, variables and options are those of the code."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import warnings

import pytest

from siamtrt import cli
from siamtrt.__main__ import SHORT, STAGES
from tests.docs.pages import ROOT, commands

COMMANDS = commands()
MAKEFILE = (ROOT / "Makefile").read_text()
VARIABLES = {*re.findall(r"^##\? (\w+)=", MAKEFILE, re.MULTILINE), "KEEP", "MAX_DRIFT"}
# Programs of others. What a word of a path stands for is not checked, a script of ours has to be there.
OTHERS = {
    "/usr/src/tensorrt/bin/trtexec",
    "pip",
    "rsync",
    "docker",
    "nvpmodel",
    "jetson_clocks",
    "apt",
    "sh",
    "torchrun",
    "vot",
    "trtexec",
}


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


def parser_of(stage, words, monkeypatch):
    """The parser that ``python -m STAGE WORDS`` makes, with the options of the command that the words choose."""
    if stage in ("export", "training", "networks"):
        pytest.importorskip("torch", reason="needs torch")
    parsers = []
    monkeypatch.setattr(cli, "run", lambda main, arguments, argv=None: parsers.append(arguments))
    monkeypatch.setattr(sys, "argv", [stage, *words])
    heard = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings(), contextlib.suppress(SystemExit):
        warnings.simplefilter("ignore")  # a module that is imported already is run a second time
        runpy.run_module(stage, run_name="__main__")
    signal.signal(signal.SIGINT, heard)  # a command leaves Ctrl-C to the system while it imports
    return parsers[0]


def commands_of(parser):
    """The parsers of its commands, if it has any."""
    return [one for action in parser._actions if isinstance(action.choices, dict) for one in action.choices.values()]


@of(r"python3? -m (?!pip |pytest |dask |studies\.|STAGE)|torchrun ")
def test_python_knows_the_options(command, monkeypatch):
    stage, *words = shlex.split(re.sub(r".* -m ", "", command.line))
    words = ["1" if word == "N" else word for word in words if word != "..."]
    parser = parser_of(stage, words, monkeypatch)
    if command.whole:
        parser.parse_args(words)
        return
    for each in (parser, *commands_of(parser)):
        for action in each._actions:
            action.required = action.required and isinstance(action.choices, dict)  # a sentence leaves options out
    if words and "--help" not in words:
        parser.parse_args(words)


@of(r"siamtrt (?!STAGE)")
def test_siamtrt_knows_the_word(command):
    assert command.line.split()[1] in {*STAGES, *SHORT, "completion"}


@of(r"python3? -m dask ")
def test_dask_knows_the_options(command):
    pytest.importorskip("distributed", reason="needs requirements/fleet.txt")
    program, *words = shlex.split(command.line)[3:]
    shown = subprocess.run(
        [sys.executable, "-m", "dask", program, "--help"], capture_output=True, text=True, check=True
    )
    assert [word for word in words if word.startswith("--") and word not in shown.stdout] == []


@of(r"python3? -m studies\.")
def test_a_study_is_there(command):
    assert importlib.util.find_spec(command.line.split()[2])


def test_the_rest_are_programs_of_others_and_scripts_that_are_there():
    for page, line, whole in COMMANDS:
        words = [word for word in line.split() if "=" not in word.partition("/")[0]]
        if whole and not re.match(r"(make|python3?|siamtrt)\b", line):
            assert words[0] in OTHERS, f"{page}: {line}"
            assert words[0] != "sh" or (ROOT / words[1]).is_file(), f"{page}: {line}"


def test_the_pages_have_commands_of_every_kind():
    """So that a page whose blocks are no longer found does not pass unseen."""
    for kind, least in (("make", 30), ("python", 20), ("rsync", 1), ("/usr/src/tensorrt/bin/trtexec", 1)):
        assert sum(line.startswith(kind) for _, line, _ in COMMANDS) >= least
