"""Lines of truth: how numbers are written, and what is none."""

from __future__ import annotations

import pytest

from sequences.text import read_regions
from siamtrt import ArtifactError


@pytest.mark.parametrize(
    "lines",
    [
        ["1,2,3,4", "5,6,7.5,8"],
        ["1\t2\t3\t4", "5\t6\t7.5\t8"],
        ["1 2 3 4", "5   6 7.5 8"],
        ["1, 2, 3, 4 ", " 5 ,6,\t7.5,8\r"],
        ["1,2,3,4", "5,6,7.5,8", "", ""],
    ],
)
def test_numbers_are_parted_by_commas_tabs_or_spaces(tmp_path, lines):
    (tmp_path / "x.txt").write_text("\n".join(lines))
    assert read_regions(tmp_path / "x.txt") == ((1, 2, 3, 4), (5, 6, 7.5, 8))


@pytest.mark.parametrize("line", ["1,,2,3,4", "1,2,3", "1,2,3,4,5,6,7", "a b c d", "", "1;2;3;4", "1,2,3,4,"])
def test_other_lines_are_named(tmp_path, line):
    (tmp_path / "x.txt").write_text(f"1,2,3,4\n{line}\n1,2,3,4\n")
    with pytest.raises(ArtifactError, match=r"x\.txt, line 2"):
        read_regions(tmp_path / "x.txt")
