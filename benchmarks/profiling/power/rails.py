"""A power rail by the board's own name, and which rails make up a board's total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Collection

COLDEST_C = -50.0  # L4T shows about -256 for a thermal zone that is switched off


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
    average_mw: int | None = None


@dataclass(frozen=True)
class Reading:
    """What a probe shows at one instant.

    Attributes:
        rails: at least one.
        gpu_mhz: clock of the GPU; None where the probe does not show it.
        temperatures_c: zone -> degrees Celsius; empty where the probe shows none.
    """

    rails: tuple[Rail, ...]
    gpu_mhz: int | None
    temperatures_c: dict[str, float]


@dataclass(frozen=True)
class Board:
    """How a kind of board is recognised, and measured whole.

    Attributes:
        name: of the boards.
        total_rails: rails whose sum is the module's power. The carrier board, its fan and its network are on none.
        note: what a reader of the figures should know; None where nothing is.
    """

    name: str
    total_rails: tuple[str, ...]
    note: str | None = None


# The first whose rails are all there is taken, so a rail that measures the whole input comes before parts of it.
# Sources: NVIDIA's design guides and tegrastats' output; forums.developer.nvidia.com/t/75574 for SYS5V, which is the
# 5 V supply without GPU, CPU, DDR and CV, so not a total. The step follows from 40 uV a bit across 5 mOhm at 19 V.
BOARDS = (
    Board("TX1, TX2, Xavier NX, Orin NX and Nano", ("VDD_IN",)),
    Board("Nano", ("POM_5V_IN",)),
    Board(
        "AGX Xavier",
        ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
        note="no rail measures the whole module: the total is the sum of six, each read in steps of about 155 mW",
    ),
    Board(
        "AGX Orin",
        ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
        note="no rail measures the whole module: the total is the sum of three",
    ),
)


def board_of(names: Collection[str]) -> Board | None:
    """The board that has these rails; None where the table knows none."""
    for board in BOARDS:
        if all(name in names for name in board.total_rails):
            return board
    return None


def total_mw(rails: tuple[Rail, ...]) -> int | None:
    """Power of the whole module, or None where it is not known which rails make it up."""
    by_name = {rail.name: rail.power_mw for rail in rails}
    board = board_of(by_name)
    return sum(by_name[name] for name in board.total_rails) if board else None
