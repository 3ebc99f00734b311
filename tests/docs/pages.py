"""The pages that users read, and the commands that stand on them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "weights").glob("*.md")),
]
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?:    .*\n)(?:(?:    .*)?\n)*")
_SHELL = ("", "sh")
_OURS = re.compile(r"(?:sudo )?(?:make|python3?|torchrun)\b")


class Command(NamedTuple):
    """One command line.

    Attributes:
        page: its path in the checkout.
        line: without prompt, comment and ``sudo``.
        whole: whether it stands in a block, to be typed as it is; else it is quoted in a sentence, options left out.
    """

    page: str
    line: str
    whole: bool


def blocks(page, *languages):
    """The text of the fenced blocks of these languages."""
    return [text for language, text in _FENCED.findall(page.read_text()) if language in languages]


def commands():
    """Every command on every page, once a page."""
    found = []
    for page in PAGES:
        text = page.read_text()
        name = str(page.relative_to(ROOT))
        prose = _FENCED.sub("\n", text)
        if page.name != "ARCHITECTURE.md":  # its blocks are drawings
            for block in (*blocks(page, *_SHELL), *_INDENTED.findall(prose)):
                found += [Command(name, line, whole=True) for line in _lines(block)]
        quoted = re.findall(r"`([^`]+)`", _INDENTED.sub("\n", prose).replace("\n", " "))
        found += [Command(name, _bare(text), whole=False) for text in quoted if _OURS.match(text)]
    return list(dict.fromkeys(found))


def _lines(block):
    joined = re.sub(r"\\\n", " ", block)
    return [line for line in (_bare(line) for line in joined.splitlines()) if line]


def _bare(line):
    line = re.sub(r"\s+#.*", "", f" {line}").strip()
    return re.sub(r"^sudo ", "", " ".join(line.split()))
