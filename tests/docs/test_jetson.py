from __future__ import annotations

import re
from pathlib import Path

import pytest

from engines.__main__ import _arguments

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "jetson.md").read_text(encoding="utf-8")


def test_the_engine_command_has_the_options_it_shows():
    command = re.search(r"python3 -m engines (.*?)\n\n", TEXT, re.DOTALL).group(1).replace("\\\n", " ")
    options = _arguments().parse_args(command.split())
    assert options.backend == "tensorrt"


@pytest.mark.parametrize("name", ["Dockerfile.l4t", "requirements/board.txt", "requirements/check_board.sh"])
def test_the_files_it_names_are_there(name):
    assert name in TEXT
    assert (ROOT / name).is_file()


def test_the_image_has_no_torch_and_takes_the_pins():
    text = (ROOT / "Dockerfile.l4t").read_text(encoding="utf-8")
    assert "requirements/board.txt" in text
    assert not re.search(r"pip install[^\n]*torch", text)
    assert "sm_72" in text
