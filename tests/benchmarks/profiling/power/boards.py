"""Boards as files and programs: what sysfs and tegrastats show on them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.profiling.power.energy import Sample
from benchmarks.profiling.power.rails import Rail, Reading

LINES = json.loads((Path(__file__).parents[3] / "golden/tegrastats/lines.json").read_text())
XAVIER_LINE = LINES[4]["line"]
SECOND_NS = 1_000_000_000
SIX = ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def hwmon(root, rails=SIX, millivolts=19000, milliamperes=24):
    """The monitors of a board with JetPack 5, three rails each, beside a thermometer that is none."""
    write(
        root,
        {"sys/bus/i2c/devices/1-004c/name": "tmp451\n", "sys/bus/i2c/devices/1-004c/hwmon/hwmon1/in1_label": "X\n"},
    )
    for at, rail in enumerate(rails):
        chip = f"sys/bus/i2c/devices/1-004{at // 3}"
        folder, number = f"{chip}/hwmon/hwmon{3 + at // 3}", at % 3 + 1
        write(
            root,
            {
                f"{chip}/name": "ina3221\n",
                f"{folder}/in{number}_label": f"{rail}\n",
                f"{folder}/in{number}_input": f"{millivolts}\n",
                f"{folder}/curr{number}_input": f"{milliamperes + at}\n",
                f"{folder}/in7_label": "sum of shunt voltages\n",
                f"{folder}/in7_input": "1\n",
            },
        )
    return root


def iio(root, rails=SIX, milliwatts=310):
    """Likewise with JetPack 4."""
    for at, rail in enumerate(rails):
        chip = f"sys/bus/i2c/devices/1-004{at // 3}"
        folder, number = f"{chip}/iio:device{at // 3}", at % 3
        write(
            root,
            {
                f"{chip}/name": "ina3221x\n",
                f"{folder}/rail_name_{number}": f"{rail}\n",
                f"{folder}/in_power{number}_input": f"{milliwatts + at}\n",
            },
        )
    return root


def program(folder, body):
    """A stand-in for tegrastats: a real process that runs *body* with ``line``, ``show`` and ``time`` at hand."""
    path = folder / "tegrastats.py"
    head = "import os, signal, sys, time\nline = {!r}\ndef show(text):\n    print(text, flush=True)\n"
    path.write_text(head.format(XAVIER_LINE) + body)
    return f"{sys.executable} {path}"


FOR_EVER = "while True:\n    show(line)\n    time.sleep({})\n"


def xavier(time_s, gpu_mw, average_mw=None, gpu_mhz=None):
    """A sample of an AGX Xavier whose other rails draw 1 W each."""
    others = tuple(Rail(name, 1000) for name in SIX[1:])
    return Sample(round(time_s * SECOND_NS), Reading((Rail("GPU", gpu_mw, average_mw), *others), gpu_mhz, {}))
