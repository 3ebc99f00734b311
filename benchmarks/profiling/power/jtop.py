"""Rails from the service of jetson-stats, by its Python client ``jtop``; works without root, also in a container."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, Mapping

from benchmarks.profiling.power.rails import Rail, Reading
from siamtrt import MissingDependencyError, ProbeError

_CLIENT_ERRORS = (OSError, EOFError, ValueError, RuntimeError)


class Jtop:
    """Asks the service; the service sets the pace, which may be slower than asked.

    Args:
        interval_s: between two readings.
        module: with ``jtop``, ``JtopException`` and ``__version__``; the installed package by default.

    Raises:
        MissingDependencyError: jetson-stats is not installed.
        ProbeError: the service does not run, is of another version than the client, or may not be used.
    """

    name = "jtop"
    pause_s = 0.0

    def __init__(self, interval_s: float = 0.1, module: Any | None = None) -> None:
        module = _installed() if module is None else module
        self._version = str(getattr(module, "__version__", "unknown"))
        try:
            self._errors = (module.JtopException, *_CLIENT_ERRORS)
            self._client = module.jtop(interval=interval_s)
            self._client.start()
        except (AttributeError, TypeError) as error:
            raise ProbeError(f"jtop {self._version} is not the interface we know: {error}", hint=_HINT) from error
        except self._errors as error:
            raise ProbeError(f"jtop {self._version} does not start: {_sentence(error)}", hint=_HINT) from error

    def read(self) -> Reading:
        """Wait for the service's next reading.

        Raises:
            ProbeError: the service is gone, or describes power in a way that is not known.
        """
        try:
            going, power = self._client.ok(), self._client.power
        except self._errors as error:
            raise ProbeError(f"jtop {self._version} stopped: {_sentence(error)}", hint=_HINT) from error
        except (AttributeError, TypeError) as error:
            raise ProbeError(f"jtop {self._version} is not the interface we know: {error}", hint=_HINT) from error
        if not going:
            raise ProbeError(f"jtop {self._version} gives no more readings", hint=_HINT)
        return Reading(tuple(parse_power(power, self._version)), None, {})

    def close(self) -> None:
        """Leave the service."""
        self._client.close()


_HINT = "client and service must be one version, 4.0 or later: pip install jetson-stats, then restart jtop.service"


def parse_power(power: object, version: str) -> list[Rail]:
    """Read the rails of ``jtop.power``: ``{"rail": {NAME: {"power": mW, ...}}, "tot": ...}``.

    The service's ``avg`` is dropped, since it halves what it had with every reading and so is no mean; so is its
    ``tot``, which on some boards counts a power supply beside the rails.

    Args:
        power: of the client.
        version: of jetson-stats, for the message.

    Raises:
        ProbeError: it is something else, or has no rail.
    """
    rails = power.get("rail") if isinstance(power, Mapping) else None
    if not isinstance(rails, Mapping):
        raise ProbeError(f"jtop {version} describes power as {str(power)[:80]!r}, which is not known", hint=_HINT)
    shown = [_rail(name, values, version) for name, values in rails.items() if _online(values)]
    if not shown:
        raise ProbeError(f"jtop {version} shows no power rail", hint=_HINT)
    return shown


def _rail(name: object, values: Any, version: str) -> Rail:
    power_mw = values.get("power") if isinstance(values, Mapping) else None
    if not isinstance(name, str) or not isinstance(power_mw, int) or isinstance(power_mw, bool):
        raise ProbeError(f"jtop {version} describes the rail {name} as {str(values)[:80]!r}", hint=_HINT)
    return Rail(name, power_mw)


def _online(values: object) -> bool:
    return not isinstance(values, Mapping) or values.get("online") is not False


def _installed() -> ModuleType:
    try:
        return importlib.import_module("jtop")
    except ImportError as error:
        raise MissingDependencyError("jtop is not installed", hint="pip install jetson-stats") from error


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
