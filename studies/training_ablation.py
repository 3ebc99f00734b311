"""What does each part of a training give? ``python -m studies.training_ablation --data DATA --videos V... --out OUT``.

Every row leaves one thing out of the same configuration: every second video, a kind of pairs, the hard negatives, the
wrong sizes, distant frames, or the teacher. Start, steps, rate and seeds are the same. Each result follows the held-out
videos in a closed loop; OUT/training_ablation.json has every video. What is done stays; rerun to resume, or ``--rows``
for a part.
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
from siamtrt.files import sha256
from studies.tracked import engines_of, gains, tracked
from training.config import Config
from training.loop import BEST_NAME, Loop
from training.place import CPU
from training.sources import video_names
from training.tasks import open_task

STUDY = "studies.training_ablation"
ALL = "all"
_CONFIG = Path("training/configs/siamrpn_nano_pieces.toml")
_NEAR_FRAMES = 10
_WARM_UP_SHARE = 0.1


def without_sources(config: Config, **values: str) -> Config:
    """*config* less the sources whose attributes have these *values*."""
    kept = tuple(
        source for source in config.data.sources if any(getattr(source, key) != value for key, value in values.items())
    )
    return replace(config, data=replace(config.data, sources=kept))


def without_task(config: Config, **values: Any) -> Config:
    """*config* with other settings of its task."""
    return replace(config, task={**config.task, **values})


def without_size_errors(config: Config) -> Config:
    """*config* whose search crops are cut at the true size."""
    true_size = replace(config.data.augmentation, search_zoom=0.0, search_scale=0.0)
    return replace(config, data=replace(config.data, augmentation=true_size))


def without_teacher(config: Config) -> Config:
    """*config* that learns from the truth alone, hence from no piece without one."""
    return without_task(without_sources(config, kind="patches"), teachers=[], distil_weight=0.0)


def without_every_second_video(config: Config, data: Path) -> Config:
    """*config* less every second video of its sources below *data*, and what is made of it; they are held out."""
    names = (*config.data.validation, *video_names(config, data)[1::2])
    return replace(config, data=replace(config.data, validation=names))


ROWS: dict[str, Callable[[Config, Path], Config]] = {
    ALL: lambda config, _: config,
    "half the videos": without_every_second_video,
    "no collages": lambda config, _: without_sources(config, path="collages"),
    "no composites": lambda config, _: without_sources(config, kind="composites"),
    "no still images": lambda config, _: without_sources(config, kind="images"),
    "no pieces": lambda config, _: without_sources(config, kind="patches"),
    "no teacher": lambda config, _: without_teacher(config),
    "no hard negatives": lambda config, _: without_task(config, hard_negatives=0),
    "no size errors": lambda config, _: without_size_errors(config),
    "near frames": lambda config, _: replace(config, data=replace(config.data, frame_gap=_NEAR_FRAMES)),
}


def main(options: argparse.Namespace) -> None:
    """Train and track every row with every seed, then print a line for each row."""
    base = shortened(Config.load(options.config), options.steps, options.start)
    videos = load_videos(options.videos, options.held_out)
    digest = sha256(options.start)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in options.rows}
    for seed in options.seeds:
        for name, found in rows.items():
            out = options.out / f"{name.replace(' ', '-')}-{seed}"
            claim.take(out / "claim.json", {"start": digest})
            config = replace(ROWS[name](base, options.data), seed=seed)
            Loop(open_task(config, options.data, CPU), config, out, CPU).run()
            judged = tracked(base.task["model"], out / BEST_NAME, out, videos, STUDY, options.threads)
            found.append({"seed": seed, **judged})
    record = {
        "command": cli.command_line(STUDY),
        "environment": describe(),
        "engines_manifest": {
            "files": engines_of({f"{name} {row['seed']}": row for name in rows for row in rows[name]})
        },
        "start_sha256": digest,
        "pairs": options.steps * base.data.batch,
        "rows": rows,
        "gains": {name: gains(found, rows[ALL]) for name, found in rows.items() if ALL in rows},
    }
    documents.write(options.out / "training_ablation.json", record)
    print(lines(record))  # noqa: T201


def shortened(config: Config, steps: int, start: Path) -> Config:
    """*config* for so many steps from the weights *start*, its rate falling to zero by then."""
    schedule = replace(config.optimizer, warmup_steps=max(1, round(steps * _WARM_UP_SHARE)))
    config = replace(config, steps=steps, validate_steps=steps, optimizer=schedule)
    return without_task(config, start=str(start))


def lines(record: dict[str, Any]) -> str:
    """A line a row: how it tracks with each seed, and video by video beside the row that leaves nothing out."""
    table = [f"{'row':18} {'success (losses)':>28} {'beside all, 95 % by videos':>28}"]
    for name, found in record["rows"].items():
        each = ", ".join(f"{row['success_auc']:.3f} ({row['losses']})" for row in found)
        gain = record["gains"].get(name)
        beside = f"{gain['gain']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})" if gain else ""
        table.append(f"{name:18} {each:>28} {beside:>28}")
    return "\n".join(table)


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
