"""The commands that are killed, on inputs made for them: small, but each with several pieces to lose."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.trials import child
from export.write import write
from networks.lighttrack.architecture import parse
from networks.lighttrack.network import LightTrack
from networks.seeded import seeded
from sequences.rendered.command import write_clip
from siamtrt.manifest import FILE_NAME

_VIDEOS = ("one", "two", "three", "four")
_FRAMES = 40
_ARCHITECTURE = f"back_044{'0' * 16}0+cls_012222222+reg_002222222_ops_20"
_TRAINING = """
steps = 8
validate_steps = 4
checkpoint_minutes = 0.001
[task]
model = "siamrpn_nano"
start = "none"
[optimizer]
warmup_steps = 2
[data]
batch = 2
validation = ["three"]
validation_pairs = 4
[[data.sources]]
kind = "videos"
path = "videos"
"""
_SEARCH = """
steps = 1
model = "lighttrack_mobile"
kind = "supernet"
validation = ["three", "four"]
batch = 2
[[data.sources]]
kind = "videos"
path = "videos"
"""


def _as_it_is(path: Path) -> bytes:
    return path.read_bytes()


@dataclass(frozen=True)
class Victim:
    """A command.

    Attributes:
        name: of it.
        kills: its share of fifty.
        words: behind ``python -m``, parted by blanks; ``{out}`` is the folder it writes into.
        pieces: patterns of files that are finished as soon as they are there.
        growing: patterns of files whose whole lines are.
        ends: patterns of the files that the command ends in.
        told: what of such a file does not depend on the hour.
    """

    name: str
    kills: int
    words: str
    pieces: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    told: Callable[[Path], bytes] = _as_it_is


def victims(inputs: Path) -> list[Victim]:
    """All commands; what they read is made in *inputs* where it is not there yet."""
    if not (inputs / "engines" / FILE_NAME).is_file():
        _prepare(inputs)
    vot_like = f"--sequences {inputs}/videos --threads 1 --out {{out}}"
    return [
        Victim(
            "engines", 14, f"engines --onnx {inputs}/onnx --precision fp16 --out {{out}}", ends=("*.onnx", "model.json")
        ),
        Victim(
            "calibration",
            10,
            f"calibration --onnx {inputs}/onnx --frames {inputs}/videos --crops 40 --threads 1 --out {{out}}",
            pieces=("samples/*/*.png",),
            ends=("*.ranges.json", "*.cache", "samples/*/*.png"),
        ),
        Victim(
            "vot",
            12,
            f"benchmarks vot --engines {inputs}/engines {vot_like}",
            pieces=("results/**/*.txt",),
            ends=("results/**/*.txt",),
        ),
        Victim(
            "sweep",
            4,
            f"benchmarks sweep --onnx {inputs}/onnx --only one --precisions fp32 --rounds 0 {vot_like}",
            pieces=("trials/*.json", "engines/*/manifest.json", "reports/*/report.json", "ope/*/results/**/*.txt"),
            ends=("sweep.json",),
            told=_quality,
        ),
        Victim(
            "training",
            6,
            f"training --config {inputs}/training.toml --data {inputs} --out {{out}}",
            ends=("siamrpn_nano.pth",),
            told=_weights,
        ),
        Victim(
            "search",
            4,
            f"architectures search --weights {inputs}/weights.pth --config {inputs}/search.toml --data {inputs} "
            "--pairs 2 --population 3 --generations 2 --out {out}",
            growing=("archive.jsonl",),
            ends=("front.json",),
        ),
    ]


def _prepare(inputs: Path) -> None:
    for seed, name in enumerate(_VIDEOS):
        write_clip(inputs / "videos" / name, seed, _FRAMES)
    write(seeded("siamrpn_nano", 0), "siamrpn_nano", inputs / "onnx", checkpoint=None, command="")
    torch.manual_seed(0)
    torch.save(LightTrack(parse(_ARCHITECTURE)).state_dict(), inputs / "weights.pth")
    (inputs / "training.toml").write_text(_TRAINING, encoding="utf-8")
    (inputs / "search.toml").write_text(_SEARCH, encoding="utf-8")
    child.output(["engines", "--onnx", inputs / "onnx", "--precision", "fp32", "--out", inputs / "engines"])


def _quality(path: Path) -> bytes:
    """The columns of a sweep that are no times."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    names = ("label", "skipped", "eao", "accuracy", "failures", "drift_overlap")
    return json.dumps([{name: row[name] for name in names} for row in rows]).encode()


def _weights(path: Path) -> bytes:
    """The numbers of a checkpoint; the file around them may differ."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    return b"".join(name.encode() + state[name].contiguous().numpy().tobytes() for name in sorted(state))
