"""What a device could do at best, and how far a layer is from that: the roofline model.

Source: Williams et al., "Roofline: an insightful visual performance model", 2009.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from benchmarks.profiling.layers.layer_report import Layer
from siamtrt import UsageError
from siamtrt.documents import Format
from siamtrt.files import read_json

_FOLDER = Path(__file__).parents[1] / "devices"
_FORMAT = Format("a device card", schema=1, hint="write one like those in benchmarks/profiling/devices")
_PRECISIONS = {"float32": "fp32", "float16": "fp16", "int8": "int8", "uint8": "int8"}


@dataclass(frozen=True)
class Device:
    """A card in ``profiling/devices``.

    Attributes:
        name: device and power mode.
        gpu_ghz: clock of the GPU; None where something else computes.
        peak_gmacs: precision -> 1e9 multiply-accumulates a second.
        memory_gb_s: 1e9 bytes a second.
        source: where the figures come from.
        boards: parts of the board's or CPU's own name by which a report of this device is known; a card without any is
            taken for the machine of every report it is compared with.
        power_modes: numbers of nvpmodel's modes in which the board is this device; a card without any is of all.
    """

    name: str
    gpu_ghz: Optional[float]
    peak_gmacs: Dict[str, float]
    memory_gb_s: float
    source: str
    boards: Tuple[str, ...] = ()
    power_modes: Tuple[int, ...] = ()

    @classmethod
    def load(cls, name: str) -> Device:
        """Read a card by name, or from the path of a file.

        Raises:
            UsageError: there is no such card.
            ArtifactError: the file is no card.
        """
        path = Path(name) if name.endswith(".json") else _FOLDER / f"{name}.json"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in _FOLDER.glob("*.json")))
            raise UsageError(f"unknown device {name!r}", hint=f"one of {known}, or the path of a .json file")
        return _FORMAT.build(cls, read_json(path), path)

    def bound_ms(self, layer: Layer, precision: str) -> float:
        """The least time a layer can take: that of its arithmetic or of its traffic, whichever is longer."""
        compute = layer.macs / self.peak(precision) / 1e6
        return max(compute, layer.bytes / self.memory_gb_s / 1e6)

    def peak(self, precision: str) -> float:
        """1e9 multiply-accumulates a second in *precision*.

        Raises:
            UsageError: the card does not know that precision.
        """
        if precision not in self.peak_gmacs:
            raise UsageError(f"the card {self.name!r} has no {precision}", hint=f"it has {', '.join(self.peak_gmacs)}")
        return self.peak_gmacs[precision]

    def foreign(self, environment: dict[str, Any]) -> str | None:
        """Why figures from a machine of that *environment* are none of this device; None where they are."""
        names = f"{environment.get('board') or ''} {environment.get('cpu') or ''}"
        if self.boards and not any(board in names for board in self.boards):
            return "measured on another machine"
        # nvpmodel keeps "0003"; its name may follow the number, as in the conditions of a speed report.
        number = re.match(r"\d{1,4}", str(environment.get("power_mode")), re.ASCII)
        if not self.power_modes or (number and int(number[0]) in self.power_modes):
            return None
        if not number:
            return "measured in a power mode that is not known"
        return f"measured in power mode {int(number[0])}, not {' or '.join(map(str, self.power_modes))}"


def precision_of(layer: Layer, otherwise: str) -> str:
    """The precision a layer computes in, as the cards call it."""
    return _PRECISIONS.get(layer.precision, otherwise)
