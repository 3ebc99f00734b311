"""Which probe is read: one that was asked for, or the first that works here."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Protocol

from benchmarks.profiling.power.ina3221 import Ina3221
from benchmarks.profiling.power.jtop import Jtop
from benchmarks.profiling.power.rails import Reading
from benchmarks.profiling.power.tegrastats_process import COMMAND, Tegrastats
from siamtrt import MissingDependencyError, ProbeError, UsageError

AUTO, NONE = "auto", "none"
PROBES = ("ina3221", "tegrastats", "jtop")
CHOICES = (AUTO, *PROBES, NONE)
_LONGEST_INTERVAL_S = 1.0


class Probe(Protocol):
    """A source of readings, used by one thread at a time."""

    @property
    def name(self) -> str:
        """One of ``PROBES``."""

    @property
    def pause_s(self) -> float:
        """How long to wait between two readings; 0 for a probe that sets the pace itself."""

    def read(self) -> Reading:
        """The next reading.

        Raises:
            ProbeError: there is none, or it is not understood.
        """

    def close(self) -> None:
        """Stop; a second call does nothing."""


@dataclass(frozen=True)
class ProbeChoice:
    """What to read and how.

    Attributes:
        name: one of ``PROBES``, or ``auto``: the first of them that works, or ``none``.
        root: where ``/sys`` is looked up.
        tegrastats: the command of that probe, without its interval; see :func:`program`.
        interval_s: between two readings.
    """

    name: str = AUTO
    root: Path = Path("/")
    tegrastats: str = COMMAND
    interval_s: float = 0.1

    @classmethod
    def of(cls, options: argparse.Namespace) -> ProbeChoice:
        """The choice of the options that :func:`add_probe_arguments` declares.

        Raises:
            UsageError: the interval cannot be kept.
        """
        if not 0.001 <= options.interval_s <= _LONGEST_INTERVAL_S:
            raise UsageError(f"cannot read every {options.interval_s} seconds", hint="--interval-s 0.1")
        return cls(options.probe, options.root, options.tegrastats, options.interval_s)


def add_probe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that choose a probe."""
    parser.add_argument("--probe", choices=CHOICES, default=AUTO, help="sysfs, a program, or a service")
    parser.add_argument("--tegrastats", type=program, default=COMMAND, help="how that program is run")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where /sys lies")
    parser.add_argument("--interval-s", type=float, default=0.1, help="between two readings")


def program(text: str) -> str:
    """The value of an option that is a command line, as it is; argparse says where it is none."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no command: {error}") from error
    if not words:
        raise argparse.ArgumentTypeError(f"{text!r} is no command")
    return text


def open_probe(choice: ProbeChoice) -> Probe:
    """Open the chosen probe and prove that it can be read.

    Raises:
        ProbeError: it does not work; for ``auto``, none does, and the reasons of all are given.
        MissingDependencyError: it was asked for by name and is not installed.
    """
    makers: dict[str, Callable[[], Probe]] = {
        "ina3221": lambda: Ina3221(choice.root, choice.interval_s),
        "tegrastats": lambda: Tegrastats(shlex.split(choice.tegrastats), choice.interval_s),
        "jtop": lambda: Jtop(choice.interval_s),
    }
    if choice.name != AUTO:
        return _proven(makers[choice.name])
    reasons = []
    for make in makers.values():
        probe, reason = _attempt(make)
        if probe:
            return probe
        reasons.append(reason)
    raise ProbeError("; ".join(reasons), hint="power is measured on a Jetson; rails need root on JetPack 5")


def _attempt(make: Callable[[], Probe]) -> tuple[Probe | None, str]:
    """The probe, or why there is none."""
    try:
        return _proven(make), ""
    except (ProbeError, MissingDependencyError) as error:
        return None, error.problem


def _proven(make: Callable[[], Probe]) -> Probe:
    probe = make()
    try:
        probe.read()
    except ProbeError:
        probe.close()
        raise
    return probe
