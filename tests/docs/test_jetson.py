from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "jetson.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", ["did not take the activation ranges it was served", "refused the timing cache"])
def test_the_messages_of_the_trouble_table_are_those_of_the_code(words):
    assert words in TEXT
    assert any(words in path.read_text(encoding="utf-8") for path in (ROOT / "engines").rglob("*.py"))


def test_the_image_has_no_torch_and_takes_the_pins():
    text = (ROOT / "Dockerfile.l4t").read_text(encoding="utf-8")
    assert "requirements/board.txt" in text
    assert not re.search(r"pip install[^\n]*torch", text)
    assert "sm_72" in text
