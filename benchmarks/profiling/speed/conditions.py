"""Clocks and temperatures of the machine while it was measured.

Sources: Linux ``cpufreq``, ``devfreq`` and ``thermal`` in sysfs; L4T offers the GPU's clock as a ``devfreq`` device.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from benchmarks.profiling.power.rails import COLDEST_C, Reading

_GPU_DEVICES = ("*gv11b*", "*ga10b*", "*gp10b*", "*gm20b*", "*gpu*")

_SLOWS_DOWN = re.compile(r"cpu|gpu|processor|devfreq|balanced|throttle|clamp", re.IGNORECASE)  # no fan, no backlight
_FULL_CLOCK = 0.98  # tegrastats rounds

log = logging.getLogger(__name__)

Range = Tuple[float, float]


@dataclass(frozen=True)
class MachineState:
    """The machine at one instant; empty or None where it does not show.

    Attributes:
        cpu_mhz: of each core that is online.
        gpu_mhz: of the GPU.
        temperatures_c: zone -> degrees Celsius.
        cooling: what slows the machine down when it is hot, no fans: name -> how hard, 0 for not at all.
        alarms: times that a rail drew too much current since the board was started, which lowers clocks.
    """

    cpu_mhz: Tuple[float, ...]
    gpu_mhz: Optional[float]
    temperatures_c: Dict[str, float]
    cooling: Dict[str, int] = field(default_factory=dict)
    alarms: Optional[int] = None


@dataclass(frozen=True)
class Conditions:
    """The machine over a run. What is not known is None, and ``reasons`` says why under its name.

    Attributes:
        power_mode: number and name of nvpmodel's, such as ``0 MAXN``.
        cpu_mhz: lowest and highest clock seen of a core, before the first sequence and after each.
        gpu_mhz: lowest and highest clock of the GPU, also in each reading of tegrastats during the run.
        governor: of the CPU's clock, such as ``performance`` or ``schedutil``.
        gpu_clock_fixed: the GPU's lowest and highest clock are one, as ``jetson_clocks`` sets them.
        temperatures_start_c: zone -> degrees Celsius, before the first frame.
        temperatures_end_c: zone -> degrees Celsius, after the last.
        reasons: name of a field that is None -> why.
        throttling: what held the machine back, a sentence each; None where that does not show.
    """

    power_mode: Optional[str]
    cpu_mhz: Optional[Range]
    gpu_mhz: Optional[Range]
    governor: Optional[str]
    gpu_clock_fixed: Optional[bool]
    temperatures_start_c: Optional[Dict[str, float]]
    temperatures_end_c: Optional[Dict[str, float]]
    reasons: Dict[str, str]
    throttling: Optional[Tuple[str, ...]] = None

    @property
    def doubts(self) -> Tuple[str, ...]:
        """What of them makes figures doubtful, a sentence each."""
        held_back = self.throttling or ()
        if self.gpu_clock_fixed is not False:
            return held_back
        seen = f", seen at {self.gpu_mhz[0]:.0f} to {self.gpu_mhz[1]:.0f} MHz" if self.gpu_mhz else ""
        return (
            f"the GPU's clock was free to change{seen}: run nvpmodel, then jetson_clocks, before measuring",
            *held_back,
        )


def read_state(root: Path = Path("/")) -> MachineState:
    """Look at the machine; a few file reads, to be done outside of what is timed.

    Args:
        root: where ``/sys`` and ``/proc`` are looked up; another folder in tests.
    """
    return MachineState(_cpu_mhz(root), _gpu(root, "cur_freq"), _temperatures_c(root), _cooling(root), _alarms(root))


def warn_before(root: Path = Path("/")) -> None:
    """Say in which power mode and at which clocks a benchmark is about to run, and what should be done first."""
    conditions = conditions_of([read_state(root)], root=root)
    if conditions.power_mode is not None:
        log.info("power mode %s, governor %s", conditions.power_mode, conditions.governor)
    for doubt in conditions.doubts:
        log.warning("%s", doubt)


def conditions_of(
    states: Sequence[MachineState], readings: Sequence[Reading] = (), root: Path = Path("/")
) -> Conditions:
    """Sum up a run.

    Args:
        states: the first taken before it and the last after it.
        readings: of a power probe during it, which may show more.
        root: where ``/sys`` is looked up.
    """
    cpu = [clock for state in states for clock in state.cpu_mhz]
    shown = [state.gpu_mhz for state in states] + [reading.gpu_mhz for reading in readings]
    gpu = [float(clock) for clock in shown if clock is not None]
    before, after = (side.temperatures_c for side in (states[0], states[-1]))
    if readings:
        before, after = before or readings[0].temperatures_c, after or readings[-1].temperatures_c
    lowest, highest = _gpu(root, "min_freq"), _gpu(root, "max_freq")
    conditions = Conditions(
        power_mode=_power_mode(root),
        cpu_mhz=(min(cpu), max(cpu)) if cpu else None,
        gpu_mhz=(min(gpu), max(gpu)) if gpu else None,
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        gpu_clock_fixed=None if lowest is None or highest is None else lowest == highest,
        temperatures_start_c=before or None,
        temperatures_end_c=after or None,
        reasons={},
        throttling=_throttling(states, gpu, lowest if lowest == highest else None),
    )
    conditions.reasons.update({name: why for name, why in _WHY.items() if getattr(conditions, name) is None})
    return conditions


_WHY = {
    "power_mode": "this machine has no nvpmodel, or it has not been set since it was flashed",
    "cpu_mhz": "this system shows no clock of the CPU (cpufreq, /proc/cpuinfo)",
    "gpu_mhz": "this machine has no GPU whose clock devfreq shows",
    "governor": "this system shows no cpufreq governor",
    "gpu_clock_fixed": "this machine has no GPU whose clock devfreq shows",
    "temperatures_start_c": "this machine shows no thermal zone",
    "temperatures_end_c": "this machine shows no thermal zone",
    "throttling": "this machine shows no cooling device, no alarm of currents, and no fixed clock of a GPU",
}


def _throttling(
    states: Sequence[MachineState], gpu_mhz: Sequence[float], fixed_mhz: float | None
) -> tuple[str, ...] | None:
    """What held the machine back between the states."""
    if fixed_mhz is None and not any(state.cooling or state.alarms is not None for state in states):
        return None
    found = []
    if fixed_mhz is not None and gpu_mhz and min(gpu_mhz) < _FULL_CLOCK * fixed_mhz:
        found.append(f"the GPU ran at {min(gpu_mhz):.0f} MHz, though its clock is fixed at {fixed_mhz:.0f} MHz")
    hardest = {name: max(state.cooling.get(name, 0) for state in states) for name in states[0].cooling}
    found += [f"{name} slowed the machine down, step {step}" for name, step in hardest.items() if step > 0]
    alarms = [state.alarms for state in states if state.alarms is not None]
    if alarms and alarms[-1] > alarms[0]:
        found.append(f"{alarms[-1] - alarms[0]} alarms of too much current")
    return tuple(found)


def _cooling(root: Path) -> dict[str, int]:
    """Source: Linux, Documentation/ABI/testing/sysfs-class-thermal."""
    steps: dict[str, int] = {}
    for folder in _in_order(list((root / "sys/class/thermal").glob("cooling_device*"))):
        kind, step = _text(folder / "type"), _number(folder / "cur_state")
        if kind and step is not None and _SLOWS_DOWN.search(kind):
            steps[kind] = max(step, steps.get(kind, 0))
    return steps


def _alarms(root: Path) -> int | None:
    """Source: Jetson Linux Developer Guide, "Over-Current Throttling": ``oc1_event_cnt`` and so on, since the start."""
    counts = [_number(path) for path in sorted((root / "sys/class/hwmon").glob("hwmon*/oc*_event_cnt"))]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _power_mode(root: Path) -> str | None:
    """Source: nvpmodel keeps ``pmode:0000`` in its status and ``POWER_MODEL ID=0 NAME=MAXN`` in its configuration."""
    number = re.search(r"pmode:(\d{1,4})", _text(root / "var/lib/nvpmodel/status") or "", re.ASCII)
    if not number:
        return None
    mode = int(number[1])
    name = re.search(rf"POWER_MODEL ID={mode} NAME=(\w+)", _text(root / "etc/nvpmodel.conf") or "")
    return f"{mode} {name[1]}" if name else str(mode)


def _cpu_mhz(root: Path) -> tuple[float, ...]:
    files = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    clocks_khz = [_number(path) for path in files]
    clocks_mhz = tuple(clock / 1e3 for clock in clocks_khz if clock is not None)
    if clocks_mhz:
        return clocks_mhz
    lines = re.findall(r"^cpu MHz\s*: (\d+(?:\.\d+)?)$", _text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return tuple(float(line) for line in lines)


def _gpu(root: Path, name: str) -> float | None:
    for pattern in _GPU_DEVICES:
        for folder in sorted((root / "sys/class/devfreq").glob(pattern)):
            clock_hz = _number(folder / name)
            if clock_hz is not None:
                return clock_hz / 1e6
    return None


def _temperatures_c(root: Path) -> dict[str, float]:
    temperatures: dict[str, float] = {}
    for folder in _in_order(list((root / "sys/class/thermal").glob("thermal_zone*"))):
        zone, millidegrees = _text(folder / "type"), _number(folder / "temp")
        if zone and millidegrees is not None and millidegrees / 1000 >= COLDEST_C:
            temperatures[zone] = millidegrees / 1000
    return temperatures


def _in_order(folders: list[Path]) -> list[Path]:
    return sorted(folders, key=lambda folder: (len(folder.name), folder.name))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and re.fullmatch(r"-?\d{1,12}", text, re.ASCII) else None
