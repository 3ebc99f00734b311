"""The boxes of the four VOT2018 sequences, byte for byte those on record; see tests/golden/boxes/PROVENANCE.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from siamtrt.environment import describe
from siamtrt.files import sha256

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "boxes"


def record_of(model):
    return json.loads((GOLDEN / f"{model}.json").read_text())


def require_the_machine_of(record):
    here = describe()
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    numbers = [
        int(match.group(1)) if match else None
        for match in (re.search(rf"^{name}\s*: (\d+)$", cpuinfo, re.MULTILINE) for name in ("cpu family", "model"))
    ]
    machine = record["machine"]
    if (here["cpu"], *numbers) != (machine["cpu"], machine["cpu_family"], machine["cpu_model"]):
        pytest.skip(
            f"recorded on {machine['cpu']} {machine['cpu_family']}/{machine['cpu_model']}: bits differ elsewhere"
        )
    for package, version in machine["packages"].items():
        if here["packages"].get(package) != version:
            pytest.skip(f"recorded with {package} {version}, here is {here['packages'].get(package)}")


def command(*words):
    subprocess.run([sys.executable, "-m", *map(str, words)], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["siamrpn_lite0", "siamrpn_nano", "nanotrack_v3"])
def test_boxes_and_measures_are_those_on_record(model, reference_data, tmp_path):
    record = record_of(model)
    require_the_machine_of(record)
    shipped, published = (
        ROOT / "weights" / f"{model}.pth",
        reference_data / "weights" / "nanotrackv3" / "nanotrackv3.pth",
    )
    checkpoint = shipped if shipped.is_file() else published
    assert sha256(checkpoint) == record["checkpoint_sha256"]
    sequences = reference_data / "vot2018" / "sequences"
    onnx, engines, vot, ope = (tmp_path / name for name in ("onnx", "onnxruntime-fp32", "vot", "ope"))
    command("export", "--model", model, "--checkpoint", checkpoint, "--out", onnx)
    command("engines", "--onnx", onnx, "--precision", "fp32", "--out", engines)
    command("benchmarks", "vot", "--engines", engines, "--sequences", sequences, "--threads", 1, "--out", vot)
    measures = ("--results", vot / "results", "--out", vot / "evaluation.json")
    command("benchmarks", "evaluate", "--annotations", sequences, *measures)
    command("benchmarks", "ope", "--engines", engines, "--sequences", sequences, "--threads", 1, "--out", ope)

    boxes = {path.parent.name: sha256(path) for path in vot.glob("results/*/baseline/*/*_001.txt")}
    assert boxes == record["vot_sha256"]
    assert {path.stem: sha256(path) for path in ope.glob("results/*/*.txt")} == record["ope_sha256"]
    (measured,) = json.loads((vot / "evaluation.json").read_text())["trackers"].values()
    measured["eao"] = measured["eao"]["all"]
    assert {name: measured[name] for name in record["vot_measures"]} == record["vot_measures"]
    (passed,) = json.loads((ope / "ope.json").read_text())["trackers"].values()
    assert {name: passed[name] for name in record["ope_measures"]} == record["ope_measures"]
