"""Rails from the INA3221 monitors in sysfs: ``hwmon`` on JetPack 5, ``iio`` on JetPack 4.

Sources: Linux ``Documentation/hwmon/ina3221``: ``inN_input`` in millivolts, ``currN_input`` in milliamperes, channels
1 to 3; L4T's older driver: ``in_powerN_input`` in milliwatts, channels 0 to 2.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.profiling.power.rails import Rail, Reading
from siamtrt import ProbeError

_NOT_CONNECTED = "NC"
_LONGEST_NUMBER_BYTES = 32


@dataclass(frozen=True)
class Channel:
    """One rail of a monitor.

    Attributes:
        rail: its name.
        files: millivolts and milliamperes, or milliwatts alone.
    """

    rail: str
    files: tuple[Path, ...]


class Ina3221:
    """Reads every rail of every monitor; the files stay open, since a reading is due many times a second.

    Args:
        root: where ``/sys`` is looked up; another folder in tests.
        interval_s: between two readings.

    Raises:
        ProbeError: there is no monitor, or a file needs rights this user lacks.
    """

    name = "ina3221"

    def __init__(self, root: Path = Path("/"), interval_s: float = 0.1) -> None:
        self.pause_s = interval_s
        self._open: list[tuple[str, list[tuple[Path, int]]]] = []
        try:
            for channel in channels(root):
                self._open.append((channel.rail, []))
                for path in channel.files:
                    self._open[-1][1].append((path, _opened(path)))
        except ProbeError:
            self.close()
            raise

    def read(self) -> Reading:
        """Read all rails now.

        Raises:
            ProbeError: a file cannot be read or holds no number.
        """
        rails = []
        for name, files in self._open:
            numbers = [_number(path, descriptor) for path, descriptor in files]
            rails.append(Rail(name, numbers[0] if len(numbers) == 1 else round(numbers[0] * numbers[1] / 1000)))
        return Reading(tuple(rails), None, {})

    def close(self) -> None:
        """Close the files."""
        for _, files in self._open:
            for _, descriptor in files:
                os.close(descriptor)
        self._open.clear()


def channels(root: Path) -> tuple[Channel, ...]:
    """Find the rails of this machine, in the order of the monitors' addresses.

    Raises:
        ProbeError: there is none, one needs rights this user lacks, or two have one name.
    """
    rails: list[Channel] = []
    for chip in sorted(root.glob("sys/bus/i2c/devices/*/name")):
        if "ina3221" not in (_text(chip) or ""):
            continue
        for folder in sorted(chip.parent.glob("hwmon/hwmon*")):
            rails += [channel for number in (1, 2, 3) for channel in _hwmon(folder, number)]
        for folder in sorted(chip.parent.glob("iio:device*")):
            rails += [channel for number in (0, 1, 2) for channel in _iio(folder, number)]
    names = [channel.rail for channel in rails]
    if not names:
        raise ProbeError("this machine has no INA3221 power monitor", hint="power is measured on a Jetson")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ProbeError(f"two monitors call a rail {', '.join(sorted(twice))}", hint="report the board and its L4T")
    return tuple(rails)


def _hwmon(folder: Path, number: int) -> list[Channel]:
    rail = _text(folder / f"in{number}_label")
    if rail in (None, _NOT_CONNECTED) or _text(folder / f"in{number}_enable") == "0":
        return []
    return [Channel(str(rail), (folder / f"in{number}_input", folder / f"curr{number}_input"))]


def _iio(folder: Path, number: int) -> list[Channel]:
    rail = _text(folder / f"rail_name_{number}")
    if rail in (None, _NOT_CONNECTED):
        return []
    return [Channel(str(rail), (folder / f"in_power{number}_input",))]


def _text(path: Path) -> str | None:
    """The content; None for a file that is not there."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(path, error) from error


def _number(path: Path, descriptor: int) -> int:
    try:
        text = os.pread(descriptor, _LONGEST_NUMBER_BYTES, 0)
    except OSError as error:
        raise _unreadable(path, error) from error
    number = re.fullmatch(rb"\s*(-?\d{1,9})\s*", text)
    if number is None:
        raise ProbeError(f"{path} holds {text!r}, not a number", hint="report the board and its L4T release")
    return int(number[1])


def _unreadable(path: Path, error: OSError) -> ProbeError:
    if isinstance(error, PermissionError):
        return ProbeError(f"{path} may not be read: rails need root on JetPack 5", hint="run as root")
    return ProbeError(f"cannot read {path}: {error.strerror}")
