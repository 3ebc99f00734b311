"""Lines of ``tegrastats``, as every JetPack since 4 prints them, to rails, temperatures and the GPU's clock.

Written from the lines in tests/golden/tegrastats alone. Names collide (``GPU@42C`` is a temperature, ``GPU 0/16`` a
rail), columns come and go, and a rail has two or three figures with or without ``mW``.
"""

from __future__ import annotations

import re

from benchmarks.profiling.power.rails import COLDEST_C, Rail, Reading
from siamtrt import ProbeError

_SHOWN_CHARACTERS = 80
_RAIL = re.compile(
    r"(?<![\w@])(?P<name>[A-Z][A-Z0-9_]*) "
    r"(?P<now>\d{1,9})(?P<unit>mW)?/(?P<average>\d{1,9})(?(unit)mW)(?:/\d{1,9}mW)?(?![\w/%@.])",
    re.ASCII,
)
_LIKE_A_RAIL = re.compile(r"(?<![\w@])([A-Z][A-Z0-9_]*) \d+[A-Za-z]*/\d", re.ASCII)
_TEMPERATURE = re.compile(
    r"(?<![\w@])(?P<name>[A-Za-z][A-Za-z0-9_]*)@(?P<degrees>-?\d{1,4}(?:\.\d{1,6})?)C(?!\w)", re.ASCII
)
_GPU_CLOCK = re.compile(r"GR3D_FREQ (?:\d{1,3}%)?@\[?(?P<mhz>\d{1,5})(?!\d)", re.ASCII)
_MEMORY_NAMES = ("RAM", "SWAP", "IRAM")


def parse(line: str) -> Reading:
    """Read a line.

    Raises:
        ProbeError: it shows no power rail.
    """
    return Reading(parse_rails(line), parse_gpu_clock_mhz(line), parse_temperatures(line))


def parse_rails(line: str) -> tuple[Rail, ...]:
    """Read every power rail of a line.

    Raises:
        ProbeError: there is none, one is in a unit that is not known, or two have one name: what is not understood must
            never read as 0 mW.
    """
    rails = tuple(
        Rail(match["name"], int(match["now"]), int(match["average"]))
        for match in _RAIL.finditer(line)
        if match["name"] not in _MEMORY_NAMES
    )
    shown = f"the tegrastats line {line[:_SHOWN_CHARACTERS]!r}"
    if not rails:
        raise ProbeError(f"no power rail in {shown}", hint="run as root: rails need root on JetPack 5")
    alike = [name for name in _LIKE_A_RAIL.findall(line) if name not in _MEMORY_NAMES]
    if alike != list(dict.fromkeys(rail.name for rail in rails)):
        raise ProbeError(f"rails in {shown} are not understood: {', '.join(alike)}", hint="report the line")
    return rails


def parse_temperatures(line: str) -> dict[str, float]:
    """Zone -> degrees Celsius, of the zones that are switched on; empty where a line shows none."""
    zones = {match["name"]: float(match["degrees"]) for match in _TEMPERATURE.finditer(line)}
    return {zone: degrees for zone, degrees in zones.items() if degrees >= COLDEST_C}


def parse_gpu_clock_mhz(line: str) -> int | None:
    """The clock of the GPU in MHz; None where the line does not show it (it needs root on JetPack 4)."""
    match = _GPU_CLOCK.search(line)
    return int(match["mhz"]) if match else None
