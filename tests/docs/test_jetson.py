from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import COMMANDS as BENCHMARKS
from engines.__main__ import _arguments as engines_arguments
from runtime.__main__ import COMMANDS as RUNTIME
from siamtrt import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "jetson.md").read_text(encoding="utf-8")


def options_of(stage, parser_of):
    """What the commands of a stage are parsed to, in the order they stand in."""
    commands = re.findall(rf"^    (?:sudo )?python3 -m {stage} ((?:.*\\\n)*.*)", TEXT, re.MULTILINE)
    argvs = [re.sub(r"#.*|\\\n", " ", command).split() for command in commands]
    return [parser_of(argv).parse_args(argv) for argv in argvs]


def test_the_engine_commands_have_the_options_they_show():
    parsed = options_of("engines", lambda _: engines_arguments())
    assert [options.precision for options in parsed] == ["fp16", "int8", "fp16"]
    assert {options.backend for options in parsed} == {"tensorrt"}


def test_the_commands_of_runtime_and_benchmarks_have_the_options_they_show():
    (track,) = options_of("runtime", lambda argv: cli.table("runtime", "", RUNTIME, argv))
    assert track.init == ["100,80,60,40"]
    judged = options_of("benchmarks", lambda argv: cli.table("benchmarks", "", BENCHMARKS, argv))
    assert [options.out.name for options in judged] == ["vot", "power.json"]


def test_every_make_target_it_names_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake ([a-z-]+)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"no target {target}"


@pytest.mark.parametrize("words", ["did not take the activation ranges it was served", "refused the timing cache"])
def test_the_messages_of_the_trouble_table_are_those_of_the_code(words):
    assert words in TEXT
    assert any(words in path.read_text(encoding="utf-8") for path in (ROOT / "engines").rglob("*.py"))


@pytest.mark.parametrize("name", ["Dockerfile.l4t", "requirements/board.txt", "requirements/check_board.sh"])
def test_the_files_it_names_are_there(name):
    assert name in TEXT
    assert (ROOT / name).is_file()


def test_the_image_has_no_torch_and_takes_the_pins():
    text = (ROOT / "Dockerfile.l4t").read_text(encoding="utf-8")
    assert "requirements/board.txt" in text
    assert not re.search(r"pip install[^\n]*torch", text)
    assert "sm_72" in text
