"""Lines of ``tegrastats``, as every JetPack since 4 prints them, to rails, temperatures and the GPU's clock.

Written from the lines in tests/golden/tegrastats alone. Names collide (``GPU@42C`` is a temperature, ``GPU 0/16`` a
rail), columns come and go, and a rail has two or three figures with or without ``mW``.
"""

from __future__ import annotations

import re
from typing import Dict, Optional, Tuple

from benchmarks.power.rails import Rail
from siamtrt import ProbeError

_SHOWN_CHARACTERS = 80
_RAIL = re.compile(
    r"(?<![\w@])(?P<name>[A-Z][A-Z0-9_]*) "
    r"(?P<now>\d{1,9})(?P<unit>mW)?/(?P<average>\d{1,9})(?(unit)mW)(?:/\d{1,9}mW)?(?![\w/%@.])"
)
_TEMPERATURE = re.compile(r"(?<![\w@])(?P<name>[A-Za-z][A-Za-z0-9_]*)@(?P<degrees>-?\d{1,4}(?:\.\d{1,6})?)C(?!\w)")
_GPU_CLOCK = re.compile(r"GR3D_FREQ (?:\d{1,3}%)?@\[?(?P<mhz>\d{1,5})")
_MEMORY_NAMES = ("RAM", "SWAP", "IRAM")


def parse_rails(line: str) -> Tuple[Rail, ...]:
    """Read every power rail of a line.

    Raises:
        ProbeError: there is none; an unknown format must never read as 0 mW.
    """
    rails = tuple(
        Rail(match["name"], int(match["now"]), int(match["average"]))
        for match in _RAIL.finditer(line)
        if match["name"] not in _MEMORY_NAMES
    )
    if not rails:
        raise ProbeError(
            f"no power rail in the tegrastats line {line[:_SHOWN_CHARACTERS]!r}",
            hint="run as root: on JetPack 5 rails need it",
        )
    return rails


def parse_temperatures(line: str) -> Dict[str, float]:
    """Zone -> degrees Celsius; empty where a line shows none."""
    return {match["name"]: float(match["degrees"]) for match in _TEMPERATURE.finditer(line)}


def parse_gpu_clock_mhz(line: str) -> Optional[int]:
    """The clock of the GPU in MHz; None where the line does not show it (it needs root on JetPack 4)."""
    match = _GPU_CLOCK.search(line)
    return int(match["mhz"]) if match else None
