"""Rails from the INA3221 monitors in sysfs: ``hwmon`` on JetPack 5, ``iio`` on JetPack 4.

Source: Linux ``Documentation/hwmon/ina3221``: ``inN_input`` in millivolts, ``currN_input`` in milliamperes.
"""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

from benchmarks.power.rails import Rail
from siamtrt import ProbeError

_CHANNELS = (1, 2, 3)


def read_rails(root: Path = Path("/")) -> Tuple[Rail, ...]:
    """Read every rail of every monitor.

    Args:
        root: where ``/sys`` is looked up; another folder in tests.

    Raises:
        ProbeError: there is no monitor, a file needs rights this user lacks, or holds no number.
    """
    monitors = sorted(root.glob("sys/bus/i2c/devices/*-00*"))
    rails: List[Rail] = []
    for monitor in monitors:
        for folder in sorted(monitor.glob("hwmon/hwmon*")):
            rails += [rail for channel in _CHANNELS for rail in _hwmon(folder, channel)]
        for folder in sorted(monitor.glob("iio:device*")):
            rails += [rail for channel in range(3) for rail in _iio(folder, channel)]
    if not rails:
        raise ProbeError("this machine has no INA3221 power monitor", hint="power is measured on a Jetson")
    return tuple(rails)


def _hwmon(folder: Path, channel: int) -> List[Rail]:
    label = folder / f"in{channel}_label"
    if not label.exists():
        return []
    millivolts, milliamperes = _number(folder / f"in{channel}_input"), _number(folder / f"curr{channel}_input")
    return [Rail(_text(label), round(millivolts * milliamperes / 1000))]


def _iio(folder: Path, channel: int) -> List[Rail]:
    label = folder / f"rail_name_{channel}"
    if not label.exists():
        return []
    return [Rail(_text(label), _number(folder / f"in_power{channel}_input"))]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except PermissionError as error:
        raise ProbeError(f"{path} may not be read", hint="run as root: on JetPack 5 rails need it") from error
    except OSError as error:
        raise ProbeError(f"cannot read {path}: {error.strerror}") from error


def _number(path: Path) -> int:
    text = _text(path)
    try:
        return int(text)
    except ValueError as error:
        raise ProbeError(f"{path} holds {text!r}, not a number", hint="report the board and its L4T release") from error
