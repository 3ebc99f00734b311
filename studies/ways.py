"""Which way of training pays in the same time? ``python -m studies.ways --data DATA --videos V... --out OUT``.

Every way starts from the published weights of its trunk and gets the same minutes of processor time: a few steps are
timed first, and say how many there are. The pairs are drawn alike, those without truth only where a teacher labels
them. OUT/ways.json has the success on each held-out video. What is done stays; rerun to resume, or ``--ways`` for a
part: the record holds every way that is done.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.evaluation.held_out.videos import declare_videos, load_videos
from siamtrt import cli, documents
from siamtrt.environment import describe
from siamtrt.files import read_json, sha256
from studies.tracked import TRACKED_NAME, engines_of, gains, shown, tracked
from training.config import Config
from training.loop import BEST_NAME, Loop
from training.place import CPU
from training.tasks import open_task

STUDY = "studies.ways"
FIRST = "nano"
_CONFIG = Path("training/configs/siamrpn_nano_taught.toml")
_PUBLISHED = {"nanotrack_v3": "weights/nanotrackv3.pth", "lighttrack_mobile": "weights/lighttrack_mobile.pth"}
_NANO_LAYERS = tuple(f"features.{block}" for block in range(4, 10))
_LITE0_LAYERS = ("layer3", "layer4", "layer5")
_DRAWN, _WARM, _PROBED = 20, 2, 8  # batches and steps
_WARM_UP_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Way:
    """What tells one training from another.

    Attributes:
        model: a key of ``networks.models.MODELS``.
        start: of its trunk.
        layers: of the trunk that train.
        teachers: keys of the published trackers that teach; without any the labels alone do.
    """

    model: str
    start: str
    layers: tuple[str, ...]
    teachers: tuple[str, ...] = ()


_nano = Way(model="siamrpn_nano", start=_PUBLISHED["nanotrack_v3"], layers=_NANO_LAYERS)
_lite0 = Way(model="siamrpn_lite0", start="imagenet", layers=_LITE0_LAYERS)
WAYS = {
    FIRST: _nano,
    "lite0": _lite0,
    "lite0-taught": replace(_lite0, teachers=tuple(_PUBLISHED)),
    "nano-taught": replace(_nano, teachers=tuple(_PUBLISHED)),
    "nano-one-teacher": replace(_nano, teachers=("nanotrack_v3",)),
}


def main(options: argparse.Namespace) -> None:
    """Train and track every way, then print a line for each."""
    base = Config.load(options.config)
    videos = load_videos(options.videos, options.held_out)
    for name in options.ways:
        out = options.out / name
        own = configured(base, WAYS[name])
        own = shortened(own, planned(own, options.data, options.minutes, out)["steps"])
        trained(own, options.data, out)
        tracked(WAYS[name].model, out / BEST_NAME, out, videos, STUDY, options.threads)
    rows = {name: row(options.out / name, base) for name in WAYS if (options.out / name / TRACKED_NAME).is_file()}
    record = {
        "command": cli.command_line(STUDY),
        "environment": describe(),
        "engines_manifest": {"files": engines_of(rows)},
        "minutes": options.minutes,
        "config": sha256(options.config),
        "ways": rows,
        "gains": {name: gains([found], [rows[FIRST]]) for name, found in rows.items() if FIRST in rows},
    }
    documents.write(options.out / "ways.json", record, indent=None)
    print(lines(record))  # noqa: T201


def row(out: Path, base: Config) -> dict[str, Any]:
    """What a way that is done took, and how it tracks."""
    plan, spent = read_json(out / "plan.json"), read_json(out / "spent.json")["minutes"]
    return {**plan, "spent_minutes": spent, "pairs": plan["steps"] * base.data.batch, **read_json(out / TRACKED_NAME)}


def shortened(config: Config, steps: int) -> Config:
    """*config* for so many steps, its rate rising over a tenth of them; the last weights are kept."""
    schedule = replace(config.optimizer, warmup_steps=max(1, round(steps * _WARM_UP_SHARE)))
    return replace(config, steps=steps, validate_steps=steps, optimizer=schedule)


def configured(base: Config, way: Way) -> Config:
    """The configuration of *way*: model, trunk and teachers are its own, all else is that of *base*."""
    task = {
        **base.task,
        "model": way.model,
        "start": way.start,
        "trunk_layers": way.layers,
        "teachers": [{"model": name, "weights": _PUBLISHED[name]} for name in way.teachers],
    }
    config = replace(base, task=task)
    return config if way.teachers else without_sources(config, kind="patches")


def without_sources(config: Config, *, kind: str = "", path: str = "") -> Config:
    """*config* less the sources of a *kind* or of a folder."""
    sources = tuple(source for source in config.data.sources if source.kind != kind and source.path != path)
    return replace(config, data=replace(config.data, sources=sources))


def planned(config: Config, data: Path, minutes: float, out: Path) -> dict[str, Any]:
    """How many steps of *config* take so many *minutes* of processor time; decided once for *out*."""
    path = out / "plan.json"
    if not path.is_file():
        task = open_task(config, data, CPU)
        list(task.batches(0, _DRAWN))  # the images are read now, as most of a training finds them
        loop = Loop(task, config, out / "probe")
        loop.run(until=loop.step + _WARM)
        started_ns = time.process_time_ns()
        loop.run(until=loop.step + _PROBED)
        seconds = (time.process_time_ns() - started_ns) / 1e9 / _PROBED
        documents.write(path, {"seconds_a_step": seconds, "steps": max(1, round(60 * minutes / seconds))})
    plan: dict[str, Any] = read_json(path)
    return plan


def trained(config: Config, data: Path, out: Path) -> float:
    """Train to the end; returns the minutes of processor time that all sittings of it took."""
    path = out / "spent.json"
    before = read_json(path)["minutes"] if path.is_file() else 0.0
    loop = Loop(open_task(config, data, CPU), config, out, CPU)
    started_ns = time.process_time_ns()
    try:
        loop.run()
    finally:
        spent: float = before + (time.process_time_ns() - started_ns) / 60e9
        documents.write(path, {"minutes": spent})
    return spent


def lines(record: dict[str, Any]) -> str:
    """A line a way: what it saw, how it tracks, and how much better than the first one."""
    table = [f"{'way':18} {'pairs':>7} {'minutes':>8} {'success':>8} losses {f'beside {FIRST}, 95 % by videos':>28}"]
    for name, way in record["ways"].items():
        gain = record["gains"].get(name)
        took, tracks = f"{way['pairs']:7} {way['spent_minutes']:8.1f}", f"{way['success_auc']:8.3f} {way['losses']:6}"
        table.append(f"{name:18} {took} {tracks} {shown(gain) if gain else '':>28}".rstrip())
    return "\n".join(table)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser(STUDY, "Set ways of training side by side at equal minutes.")
    arguments.add_argument("--config", type=Path, default=_CONFIG, help="whose pairs, rates and losses all ways share")
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the configured sources are below")
    declare_videos(arguments)
    arguments.add_argument("--minutes", type=float, default=10.0, help="of processor time for each way")
    arguments.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    arguments.add_argument("--out", type=Path, required=True, help="folder for everything")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
