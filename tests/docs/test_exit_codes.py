"""The table of exit codes is that of the code."""

from __future__ import annotations

import re

from siamtrt import cli, errors
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
DOCUMENTED = {int(code): means for code, means in re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)}


def kinds(kind=errors.PipelineError):
    yield kind
    for one in kind.__subclasses__():
        yield from kinds(one)


def test_every_code_that_a_command_can_end_with_is_in_the_table():
    codes = {kind.exit_code for kind in kinds() if kind.__module__ == errors.__name__}
    assert set(DOCUMENTED) == {0, *codes, cli.INTERRUPTED, cli._NOBODY_READS}


def test_each_line_says_what_the_tree_of_errors_says():
    for kind in kinds():
        if kind is not errors.PipelineError and kind.__module__ == errors.__name__:
            (said,) = re.findall(rf"{kind.__name__} +\d +(.*)$", errors.__doc__, re.MULTILINE)
            assert said.split("; ")[0] in DOCUMENTED[kind.exit_code], kind
