"""A power rail by the board's own name, and which rails make up a board's total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class Rail:
    """One reading.

    Attributes:
        name: as the board calls it, e.g. ``GPU`` or ``VDD_IN``.
        power_mw: now, in milliwatts.
        average_mw: the tool's own running average since it was started; None where it gives none.
    """

    name: str
    power_mw: int
    average_mw: Optional[int] = None


# Rails that measure the input of the whole module: the others are parts of them.
_TOTAL_RAILS = ("VDD_IN", "POM_5V_IN")
# AGX Xavier has no such rail; its six together are the module. Source: NVIDIA's forum on SYS5V, jetson_stats.
_AGX_XAVIER = ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")
# AGX Orin likewise.
_AGX_ORIN = ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")


def total_mw(rails: Tuple[Rail, ...]) -> Optional[int]:
    """Power of the whole module, or None where it is not known which rails make it up.

    The carrier board, its fan and its network are on no rail. A sensor of 5 mOhm reads in steps of about 155 mW.
    """
    by_name = {rail.name: rail.power_mw for rail in rails}
    for name in _TOTAL_RAILS:
        if name in by_name:
            return by_name[name]
    for names in (_AGX_XAVIER, _AGX_ORIN):
        if all(name in by_name for name in names):
            return sum(by_name[name] for name in names)
    return None
