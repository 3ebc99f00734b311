"""Are searched networks better than chance once each is trained alone? ``python -m studies.retrained --out OUT ...``.

The best of several searches by split A, as many of the networks drawn by chance, and the largest network of the space
are trained alike from the weights they inherit. Each is judged on split B and follows videos to their end that neither
training nor search saw. OUT/retrained.json has every value. What is done stays; rerun to resume.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from architectures.alone import trained_alone
from architectures.fronts import Front, compared
from architectures.judge import MODEL, SPLITS, Request, judge, open_bench
from architectures.search import key
from benchmarks.evaluation.held_out.videos import declare_videos, load_videos
from siamtrt import UsageError, claim, cli, documents
from siamtrt.environment import describe
from siamtrt.files import sha256
from studies.tracked import engines_of, tracked, unseen
from training.config import Config
from training.loop import BEST_NAME
from training.sources import video_names

STUDY = "studies.retrained"
LARGEST, SEARCHED, RANDOM = "largest", "searched", "random"


def main(options: argparse.Namespace) -> None:
    """Train, judge and track every network, then print a line for each."""
    request = Request(
        options.supernet, True, options.config, options.data, options.pairs, split=SPLITS[1], latency=options.latency
    )
    bench, config = open_bench(request), Config.load(options.config)
    config = replace(config, steps=options.steps or config.steps)
    first = judge(replace(request, split=SPLITS[0]), str(bench.space.parent))
    searched, drawn = compared(options.searched, options.random)
    _require_searched_here(searched[0], request)
    largest = {"architecture": first.architecture, "milliseconds": first.milliseconds, "overlap": first.overlap}
    sides = {LARGEST: [largest], SEARCHED: best(searched, options.top), RANDOM: best(drawn, options.top)}
    videos = unseen(load_videos(options.videos, options.held_out), seen(config, options.data))
    rows: dict[str, dict[str, Any]] = {}
    for name, one in _named(sides):
        out = options.out / name
        text = one["architecture"]
        claim.take(out / "claim.json", {**key(request), "steps": config.steps, "architecture": text})
        alone = trained_alone(text, bench, config, options.data, out / "training")
        rows[name] = {
            "architecture": text,
            "milliseconds": one["milliseconds"],
            "overlap_a": one["overlap"],
            "inherited_b": judge(request, text).overlap,
            "alone_b": alone,
            **tracked(MODEL, out / "training" / BEST_NAME, out, videos, STUDY, options.threads),
        }
    record = {
        "command": cli.command_line(STUDY),
        "environment": describe(),
        "engines_manifest": {"files": engines_of(rows)},
        "supernet_sha256": sha256(options.supernet),
        "config_sha256": sha256(options.config),
        "fronts": {str(run.folder): run.digest for run in [*searched, *drawn]},
        "steps": config.steps,
        "pairs_a_step": config.data.batch,
        "networks": rows,
    }
    documents.write(options.out / "retrained.json", record)
    print(lines(rows))  # noqa: T201


def best(runs: Iterable[Front], count: int) -> list[dict[str, Any]]:
    """The *count* networks of the largest overlap on the fronts of *runs*; of equals the first by its string."""
    found = {row["architecture"]: row for run in runs for row in run.rows}
    return sorted(found.values(), key=lambda row: (-row["overlap"], row["architecture"]))[:count]


def seen(config: Config, data: Path) -> tuple[str, ...]:
    """Names of the videos that trained or, as the split of a search, guided it."""
    return (*video_names(config, data), *video_names(config, data, validation=True))


def _require_searched_here(run: Front, request: Request) -> None:
    stood_on = {name: value for name, value in key(request).items() if name in ("weights", "latency", "trained")}
    differing = [name for name, value in stood_on.items() if run.conditions.get(name) != value]
    if differing:
        raise UsageError(f"{run.folder} differs in {', '.join(differing)}", hint="as the searches were given them")


def lines(rows: dict[str, dict[str, Any]]) -> str:
    """A line a network: its price, its overlaps, and how it tracks."""
    table = [f"{'network':11} {'ms':>6} {'A':>6} {'B':>6} {'alone':>6} {'success':>8} losses"]
    for name, row in rows.items():
        price = "-" if row["milliseconds"] is None else f"{row['milliseconds']:.2f}"
        overlaps = " ".join(f"{row[key]:6.3f}" for key in ("overlap_a", "inherited_b", "alone_b"))
        table.append(f"{name:11} {price:>6} {overlaps} {row['success_auc']:8.3f} {row['losses']:6}")
    return "\n".join(table)


def _named(sides: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for side, networks in sides.items():
        for number, one in enumerate(networks):
            yield f"{side}-{number}", one


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser(STUDY, "Set searched networks beside ones by chance, each trained alone.")
    arguments.add_argument("--searched", type=Path, nargs="+", required=True, help="folders of searches")
    arguments.add_argument("--random", type=Path, nargs="+", required=True, help="folders of searches by chance")
    arguments.add_argument("--supernet", type=Path, required=True, help="as the searches were given it")
    arguments.add_argument("--config", type=Path, required=True, help="of the training; its rates and pairs are taken")
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the sources are below")
    arguments.add_argument("--latency", type=Path, help="a latency table, as the searches were given it")
    arguments.add_argument("--pairs", type=cli.count, default=128, help="held-out pairs of split B")
    arguments.add_argument("--top", type=cli.count, default=3, help="networks of each side")
    arguments.add_argument("--steps", type=cli.count, help="of each training; the configuration's by default")
    declare_videos(arguments)
    arguments.add_argument("--out", type=Path, required=True, help="folder for everything")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
