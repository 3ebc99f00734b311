"""What machine a figure comes from."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Optional

_PACKAGES = (
    "numpy",
    "onnx",
    "onnxruntime",
    "opencv-python",
    "opencv-python-headless",
    "tensorrt",
    "tensorrt-rtx-cu12",
    "pycuda",
    "torch",
)


def describe(root: Path = Path("/")) -> Dict[str, Any]:
    """Describe this machine; what it does not tell is None.

    Args:
        root: where ``/proc``, ``/etc`` and ``/sys`` are looked up; another folder in tests.

    Returns:
        ``python``, ``system``, ``machine``, ``cpu``, ``cpu_online``, ``board``, ``l4t``, ``power_mode``,
        ``git_revision`` and ``packages`` (name -> version of those installed). JSON-ready.
    """
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _match(root / "proc/cpuinfo", r"model name\s*:\s*(.+)"),
        "cpu_online": _match(root / "sys/devices/system/cpu/online", r"(\S+)"),
        "board": _board(root),
        "l4t": l4t_version(root),
        "power_mode": _match(root / "var/lib/nvpmodel/status", r"pmode:(\d+)"),
        "git_revision": _git_revision(),
        "packages": _installed(),
    }


def cores(root: Path = Path("/")) -> int:
    """How many cores this process may use, those that share one counted once: the threads of the CPU backend."""
    threads = os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1)
    siblings = (root / f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list" for number in threads)
    return len({_match(path, r"(\S+)") or str(path) for path in siblings})


def _board(root: Path) -> str | None:
    """The model of the board; docker hides the device tree, so the container is given a copy of it."""
    models = (_match(root / place, r"([^\0\n]+)") for place in ("proc/device-tree/model", "etc/siamtrt-board"))
    return next(filter(None, models), None)


def l4t_version(root: Path = Path("/")) -> Optional[str]:
    """The L4T release such as ``35.4.1``, or None off a Jetson.

    Source: first line of ``/etc/nv_tegra_release``, e.g. ``# R35 (release), REVISION: 4.1, GCID: ...``.
    """
    text = _read(root / "etc/nv_tegra_release")
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text or "")
    return f"{found.group(1)}.{found.group(2)}" if found else None


def _read(path: Path) -> Optional[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _match(path: Path, pattern: str) -> Optional[str]:
    found = re.search(pattern, _read(path) or "")
    return found.group(1).strip() if found else None


def _installed() -> Dict[str, str]:
    versions = {package: _version(package) for package in _PACKAGES}
    return {package: version for package, version in versions.items() if version}


def _version(package: str) -> Optional[str]:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_revision() -> Optional[str]:
    try:
        run = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return run.stdout.strip() or None
