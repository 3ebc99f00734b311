"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

_REFERENCE_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Real weights, sequences and published results; not part of the project, so tests of them skip without."""
    if not _REFERENCE_DATA.is_dir():
        pytest.skip("the reference data (NanoTrackV3 weights, VOT2018 sequences) lie beside no checkout here")
    return _REFERENCE_DATA
