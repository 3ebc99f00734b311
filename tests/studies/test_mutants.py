"""The table of mistakes keeps up with the code; that each is noticed is shown by ``python -m studies.mutants``."""

from __future__ import annotations

import pytest

from siamtrt import UsageError
from studies.mutants import ROOT, load


@pytest.mark.parametrize("mutant", load(), ids=lambda mutant: mutant.name)
def test_each_mistake_can_still_be_made(mutant):
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert mutant.mutated(text) != text
    file, _, test = mutant.test.partition("::")
    assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="stands 0 times"):
        mutant.mutated("")
