"""What does each part of a training give? ``python -m studies.training_ablation --data DATA --videos V... --out OUT``.

Every row leaves one thing out of the same configuration: a kind of pairs, every second video, the hard negatives, the
crops of a wrong size, distant frames, or the teacher. Start, steps, rate and seeds are the same, so what is seen is
what the part gives in these steps. Each result follows the held-out videos in a closed loop; OUT/training_ablation.json
has every video of every row that is done. Rerun to resume, or ``--rows`` for a part.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.evaluation.held_out.videos import declare_videos, load_videos
from siamtrt import claim, cli, documents
from siamtrt.environment import describe
from siamtrt.files import read_json, sha256
from studies.tracked import TRACKED_NAME, engines_of, gains, shown, tracked, unseen
from studies.ways import shortened, without_sources
from training.config import Config
from training.loop import BEST_NAME, Loop
from training.place import CPU
from training.sources import video_names
from training.tasks import open_task

STUDY = "studies.training_ablation"
ALL = "all"
_CONFIG = Path("training/configs/siamrpn_nano_pieces.toml")
_NEAR_FRAMES = 10
_CLAIM = "claim.json"


def without_task(config: Config, **values: Any) -> Config:
    """*config* with other settings of its task."""
    return replace(config, task={**config.task, **values})


def without_size_errors(config: Config) -> Config:
    """*config* whose search crops are never cut as by a tracker whose last size was wrong."""
    return replace(config, data=replace(config.data, augmentation=replace(config.data.augmentation, search_zoom=0.0)))


def without_teacher(config: Config) -> Config:
    """*config* that learns from the truth alone, hence from no piece without one."""
    return without_task(without_sources(config, kind="patches"), teachers=[], distil_weight=0.0)


def without_every_second_video(config: Config, data: Path) -> Config:
    """*config* less every second of its real videos below *data*, and less collages, which show objects of them all."""
    config = without_sources(config, path="collages")
    real = [source for source in config.data.sources if source.kind in ("videos", "masks")]
    names = video_names(replace(config, data=replace(config.data, sources=tuple(real))), data)
    return replace(config, data=replace(config.data, validation=(*config.data.validation, *names[1::2])))


ROWS: dict[str, Callable[[Config, Path], Config]] = {
    ALL: lambda config, _: config,
    "no collages": lambda config, _: without_sources(config, path="collages"),
    "half the videos": without_every_second_video,
    "no composites": lambda config, _: without_sources(config, kind="composites"),
    "no still images": lambda config, _: without_sources(config, kind="images"),
    "no pieces": lambda config, _: without_sources(config, kind="patches"),
    "no teacher": lambda config, _: without_teacher(config),
    "no hard negatives": lambda config, _: without_task(config, hard_negatives=0),
    "no size errors": lambda config, _: without_size_errors(config),
    "near frames": lambda config, _: replace(config, data=replace(config.data, frame_gap=_NEAR_FRAMES)),
}
# What a row is set beside, where that is not the whole: these two leave something else out as well.
BESIDE = {"half the videos": "no collages", "no teacher": "no pieces"}


def main(options: argparse.Namespace) -> None:
    """Train and track the rows asked for with every seed, then print a line for each that is done.

    Raises:
        UsageError: a video is among those that the training sees.
    """
    base = shortened(without_task(Config.load(options.config), start=str(options.start)), options.steps)
    videos = unseen(load_videos(options.videos, options.held_out), video_names(base, options.data))
    stood_on = {"start": sha256(options.start), "config": sha256(options.config), "steps": options.steps}
    key = {**stood_on, "data": str(options.data.resolve())}
    for seed in options.seeds:
        for name in options.rows:
            out = folder(options.out, name, seed)
            claim.take(out / _CLAIM, key)
            config = replace(ROWS[name](base, options.data), seed=seed)
            Loop(open_task(config, options.data, CPU), config, out, CPU).run()
            tracked(base.task["model"], out / BEST_NAME, out, videos, STUDY, options.threads)
    rows = finished(options.out, key)
    record = {
        "command": cli.command_line(STUDY),
        "environment": describe(),
        "engines_manifest": {
            "files": engines_of({f"{name} {row['seed']}": row for name in rows for row in rows[name]})
        },
        **stood_on,
        "pairs": options.steps * base.data.batch,
        "rows": rows,
        "gains": {
            name: gains(rows[name], rows[other])
            for name in rows
            if _seeds(rows[name]) == _seeds(rows.get(other := BESIDE.get(name, ALL), []))
        },
    }
    documents.write(options.out / "training_ablation.json", record, indent=None)
    print(lines(record))  # noqa: T201


def folder(out: Path, name: str, seed: int) -> Path:
    """Where a row lies."""
    return out / f"{_slug(name)}-{seed}"


def finished(out: Path, key: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Every row in *out* that was trained for this *key* and tracked: name -> one of each seed."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in ROWS:
        seeds = sorted(int(path.name.rpartition("-")[2]) for path in out.glob(f"{_slug(name)}-[0-9]*"))
        for seed in seeds:
            place = folder(out, name, seed)
            if (place / TRACKED_NAME).is_file() and not claim.changed(place / _CLAIM, key):
                rows.setdefault(name, []).append({"seed": seed, **read_json(place / TRACKED_NAME)})
    return rows


def lines(record: dict[str, Any]) -> str:
    """A line a row: how it tracks with each seed, and beside what it leaves a part out of."""
    table = [f"{'row':18} {'success (losses)':>28} {'beside':>12} {'gain, 95 % by videos':>28}"]
    for name, trained in record["rows"].items():
        seeds = ", ".join(f"{row['success_auc']:.3f} ({row['losses']})" for row in trained)
        gain = record["gains"].get(name)
        told = f"{BESIDE.get(name, ALL):>12} {shown(gain):>28}" if gain else ""
        table.append(f"{name:18} {seeds:>28} {told}".rstrip())
    return "\n".join(table)


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def _seeds(trained: list[dict[str, Any]]) -> list[int]:
    return [row["seed"] for row in trained]


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser(STUDY, "Leave one part of a training out at a time.")
    arguments.add_argument("--config", type=Path, default=_CONFIG, help="the training that parts are left out of")
    arguments.add_argument("--start", type=Path, required=True, help="weights that every row starts from")
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the configured sources are below")
    declare_videos(arguments)
    arguments.add_argument("--steps", type=int, default=300, help="of every row")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0], help="one training of every row each")
    arguments.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=list(ROWS))
    arguments.add_argument("--out", type=Path, required=True, help="folder for everything")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
