"""``python -m benchmarks exits``: tables of exits, thresholds, policies in closed loop, and a page of it all."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.evaluation.exits.run import WHOLE, SideBySide, about
from benchmarks.evaluation.exits.summary import document, open_loop_text, summarise, text
from benchmarks.evaluation.exits.table import ExitTable, make_table
from benchmarks.evaluation.exits.tune import tune
from benchmarks.evaluation.exits.verdict import chance_row
from benchmarks.evaluation.held_out.videos import declare_videos, load_videos
from benchmarks.evaluation.options import declare
from benchmarks.reports.exits_page import exits_page, over_cost, over_time
from runtime.policies.parse import TUNED, TunedPoints, files_of, read_tuned
from sequences.sequence import Sequence as Video
from siamtrt import Manifest, ModelCard, UsageError, claim, cli, documents
from siamtrt.environment import describe
from siamtrt.files import read_json, write_text

_RUN, _CHANCE, _SUMMARY, _PAGE = "exits.json", "chance.json", "summary.json", "exits.html"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    table = actions.add_parser("table", help="every exit of every frame, along the way of one of them")
    declare(table, "engines", required=("engines",))
    table.add_argument(
        "--policy", default="", help="follow the boxes of this policy, to train scores on; else the last exit's"
    )
    declare_videos(table)
    table.add_argument("--out", type=Path, required=True, help="a .npz file")
    table.set_defaults(action=_table)
    tuning = actions.add_parser("tune", help="thresholds from the table of tuning videos")
    tuning.add_argument("--table", type=Path, required=True, help="written by the action table, of tuning videos")
    tuning.add_argument("--score", help="whose thresholds; by default the one that ranks best")
    tuning.add_argument("--out", type=Path, required=True, help="a folder for policy.json")
    cli.add_json(tuning)
    tuning.set_defaults(action=_tune)
    running = actions.add_parser("run", help="policies in closed loop, side by side; rerun to resume")
    declare(running, "engines", required=("engines",))
    running.add_argument("--whole", type=Path, help="engines of the same weights exported as one search")
    running.add_argument("--policy", action="append", default=[], metavar="[NAME=]POLICY", help="one row more")
    running.add_argument("--tuned", type=Path, help="policy.json: run its points")
    running.add_argument("--points", nargs="+", help="of these names alone")
    running.add_argument("--random", action="append", default=[], metavar="SHARES", help="e.g. 0.5,0.3,0.2")
    running.add_argument(
        "--chance", nargs="+", default=[], metavar="ROW", help="then random exits in the mix of rows, e.g. 'tuned 0.4'"
    )
    running.add_argument("--random-seeds", type=cli.count, default=10, help="runs of each random mix")
    declare_videos(running)
    running.add_argument("--out", type=Path, required=True, help="a folder for exits.json")
    running.set_defaults(action=_run)
    report = actions.add_parser("report", help="table, curves and a page of a finished run")
    report.add_argument("--run", type=Path, required=True, help="the folder of the action run")
    report.add_argument("--table", type=Path, help="of the same videos: draws the oracle")
    report.add_argument("--tuned", type=Path, nargs="+", default=[], help="policy.json: judged on that table too")
    report.add_argument("--out", type=Path, required=True, help="a folder for summary.json, curves, exits.html")
    cli.add_json(report)
    report.set_defaults(action=_report)


def main(options: argparse.Namespace) -> None:
    options.action(options)


def _videos(options: argparse.Namespace) -> list[Video]:
    videos = [video for videos in load_videos(options.videos, options.held_out).values() for video in videos]
    names = [video.name for video in videos]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two videos are called {', '.join(twice)}", hint="name one folder of them, or --held-out")
    return videos


def _table(options: argparse.Namespace) -> None:
    make_table(options.engines, _videos(options), options.threads, options.policy).save(options.out)
    print(options.out)


def _of_last(path: Path) -> ExitTable:
    """A table along the way of the last exit, as thresholds and oracles take it."""
    table = ExitTable.load(path)
    if table.policy:
        raise UsageError(f"{path} follows {table.policy}, not the last exit", hint="make it without --policy")
    return table


def _tune(options: argparse.Namespace) -> None:
    table = _of_last(options.table)
    tuned = tune(table, options.score)
    path = options.out / "policy.json"
    TUNED.save(path, asdict(tuned))
    Manifest.of(
        options.out,
        [path.name],
        stage="exits",
        command=cli.command_line("benchmarks"),
        parents=[options.table],
        settings={"score": tuned.score, "sequences": tuned.sequences},
        environment=describe(),
    ).save(options.out)
    lines = [
        f"{name}: ranks by what depth would gain {_shown(ranks['keep'])}, by being right {_shown(ranks['good'])}"
        for name, ranks in tuned.figures["auc"].items()
    ]
    for name, point in tuned.figures["points"].items():
        mark = " (default)" if name == tuned.default else ""
        lines.append(
            f"{name}: cost {point['cost']:.3f}, overlap {point['overlap']:.3f}, thresholds {tuned.points[name]}{mark}"
        )
    cli.show(options, "\n".join([*lines, str(path)]), tuned)


def _shown(values: list[float | None]) -> str:
    return " ".join("-" if value is None else f"{value:.3f}" for value in values)


def _run(options: argparse.Namespace) -> None:
    videos = _videos(options)
    policies = _policies(options, videos)
    unknown = [name for name in options.chance if name not in policies]
    if unknown:
        raise UsageError(f"chance of {', '.join(unknown)}: no such row", hint=f"one of {', '.join(policies)}")
    done = _followed(options, options.out / _RUN, options.whole, policies, videos)
    chance = {
        chance_row(name, seed): f"random:{seed}:{_mix(done, name)}"
        for name in options.chance
        for seed in range(options.random_seeds)
    }
    if chance:
        _followed(options, options.out / _CHANCE, None, chance, videos)
    documents.write(options.out / "made.json", {"command": cli.command_line("benchmarks"), "environment": describe()})
    print(options.out / _RUN)


def _followed(
    options: argparse.Namespace, path: Path, whole: Path | None, policies: dict[str, str], videos: list[Video]
) -> dict[str, Any]:
    """What each row did in each video: video -> row -> columns; those that *path* holds already are not run again."""
    key = about(options.engines, whole, policies, videos, options.threads)
    claim.take(path, key)
    done = claim.finished(path, key)
    trackers = SideBySide(options.engines, whole, policies, options.threads)
    for video in videos:
        if video.name not in done:
            done[video.name] = {name: asdict(column) for name, column in trackers.follow(video).items()}
            claim.save(path, key, done)
            log.info("%s: %d of %d videos", video.name, len(done), len(videos))
    return done


def _mix(done: dict[str, Any], name: str) -> str:
    """The share of the frames that a row stopped at each exit, as the policy of chance takes them."""
    rows = next(iter(done.values()))
    count = sum(row.startswith("fixed:") for row in rows)
    exits = [number for columns in done.values() for number in columns[name]["exits"]]
    shares = [round(exits.count(number) / len(exits), 4) for number in range(1, count)]
    return ",".join(f"{share:.4f}" for share in [*shares, abs(1 - sum(shares))])


def _policies(options: argparse.Namespace, videos: list[Video]) -> dict[str, str]:
    count = len(ModelCard.load(options.engines).search.stages)
    rows = {f"fixed:{number}": f"fixed:{number}" for number in range(1, count + 1)}
    if options.tuned:
        for name in options.points or _judged(options.tuned, options.engines, videos).points:
            rows[f"tuned {name}"] = f"tuned:{options.tuned}:{name}"
    for shares in options.random:
        rows.update({f"random {shares} #{seed}": f"random:{seed}:{shares}" for seed in range(options.random_seeds)})
    for words in options.policy:
        name, _, policy = words.rpartition("=")
        rows[name or words] = policy
    for path in {path for policy in rows.values() for name, path in files_of(policy) if name == "tuned"}:
        _judged(path, options.engines, videos)
    return rows


def _judged(path: Path, engines: Path, videos: list[Video]) -> TunedPoints:
    """The thresholds of a file, which *videos* may judge.

    Raises:
        UsageError: they were tuned on some of the videos.
        ArtifactError: the file is damaged, or of other engines.
    """
    tuned = read_tuned(path, Manifest.load(engines, stage="engines").files)
    _require_apart(path, tuned, {video.digest for video in videos})
    return tuned


def _require_apart(path: Path, tuned: TunedPoints, judged: set[str]) -> None:
    names = [name for name, digest in tuned.sequences.items() if digest in judged]
    if names:
        raise UsageError(
            f"the thresholds of {path} were tuned on {', '.join(names)}, so they cannot be judged on them",
            hint="other --videos or --held-out, or python -m benchmarks exits tune on others",
        )


def _report(options: argparse.Namespace) -> None:
    run = read_json(options.run / _RUN)
    made, key, done = read_json(options.run / "made.json"), run["key"], run["done"]
    if set(done) != set(key["sequences"]):
        raise UsageError(f"{options.run} is not finished", hint=made["command"])
    names = [name for name in (*key["policies"], WHOLE) if name in next(iter(done.values()))]
    rows = {name: {video: done[video][name] for video in done} for name in names}
    rows.update(_chance_rows(options.run / _CHANCE, key))
    table = _of_last(options.table) if options.table else None
    if table and (dict(table.sequences) != key["sequences"] or dict(table.engines) != key["engines"]):
        raise UsageError(f"{options.table} is of other videos or engines than the run", hint="the table of the same")
    summaries = summarise(key, rows)
    tuned = [read_tuned(path, key["engines"]) for path in options.tuned]
    for path, points in zip(options.tuned, tuned):
        _require_apart(path, points, set(key["sequences"].values()))
    figures = document({**key, **made}, summaries, table, tuned)
    documents.write(options.out / _SUMMARY, figures)
    for name, drawing in (("cost.svg", over_cost(figures)), ("time.svg", over_time(figures))):
        write_text(options.out / name, drawing.markup)
    write_text(options.out / _PAGE, exits_page(figures, rows))
    below = f"\n{open_loop_text(figures['open_loop'])}" if tuned else ""
    said = figures["verdict"]["words"]
    cli.show(options, f"{text(summaries)}{below}\n{said}\n{options.out / _PAGE}", figures)


def _chance_rows(path: Path, key: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows of chance of a run: row -> video -> columns; none where it was not asked for."""
    if not path.is_file():
        return {}
    record = read_json(path)
    if any(record["key"][name] != key[name] for name in ("engines", "sequences", "threads")):
        raise UsageError(f"{path} is of another run", hint="delete it, and run again")
    done = record["done"]
    if set(done) != set(key["sequences"]):
        raise UsageError(f"{path} is not finished", hint="run the command of the run again")
    return {name: {video: done[video][name] for video in done} for name in record["key"]["policies"]}
