"""``python -m benchmarks sweep``: build and measure every mix of precisions, and draw which are worth having."""

from __future__ import annotations

import argparse
import itertools
import logging
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.evaluation.options import RunOptions, declare
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.speed.conditions import warn_before
from benchmarks.profiling.speed.speed_report import SpeedReport
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.job import REQUEST, machine, truth_sha256
from benchmarks.trials.place import Place, declare_place, opened
from benchmarks.trials.spread import Where, spread
from benchmarks.trials.sweep.mix import Sweep, Turn
from benchmarks.trials.sweep.page import published, sweep_page, table
from benchmarks.trials.sweep.row import Row, save
from siamtrt import GraphPrecisions, Manifest, ModelCard, Precision, UsageError, claim, cli
from siamtrt.card import ROLES
from siamtrt.cli import command_line
from siamtrt.environment import describe
from siamtrt.files import sha256, write_text
from siamtrt.manifest import FILE_NAME

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = ("sequences", "only", "protocol", "threads", "allow_leak")
    declare(parser, *names, stand_ins={"sequences": "a rendered clip"})
    parser.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    parser.add_argument("--ranges", type=Path, help="folder written by python -m calibration; without it no INT8")
    parser.add_argument("--backend", default="onnxruntime", help="as python -m engines takes it")
    choices = [precision.value for precision in Precision]
    parser.add_argument("--precisions", nargs="+", choices=choices, default=["fp32", "fp16", "int8"], help="to mix")
    parser.add_argument("--annotations", type=Path, help="PySOT's JSON; made from the sequences by default")
    about = "times that the mixes are timed in turns, whose median and spread are shown; %(default)s by default"
    parser.add_argument("--rounds", type=int, default=3, help=about)
    declare_place(parser, "mixes", jobs=False)
    parser.add_argument("--out", type=Path, required=True, help="engines, reports, sweep.json, sweep.html; resumes")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Measure what is not measured yet, and print the table.

    Raises:
        UsageError: no mix could be measured; the reasons are kept.
    """
    if options.rounds < 0:
        raise UsageError(f"cannot time {options.rounds} rounds", hint="--rounds 3, or 0 for none")
    Protocol.load(options.protocol)  # or each mix would refuse it after it was built
    precisions = map(Precision, options.precisions)
    mixes = [GraphPrecisions(dict(zip(ROLES, mix))) for mix in itertools.product(precisions, repeat=len(ROLES))]
    sweep, out = _sweep(options, mixes[0].label), options.out
    about = _about(sweep)
    log.info("%d mixes; what runs prints into %s", len(mixes), out / "logs")
    warn_before()
    with opened(options, out) as place:
        rows = _measured(sweep, mixes, place, about)
        if place.alone:
            rows = timed_in_turns(sweep, mixes, rows, options.rounds, place.alone)
        else:
            log.warning("no times: no machines are named to time on; --resource chooses them")
    save(out / "sweep.json", rows, about)
    write_text(out / "sweep.html", sweep_page(rows, about, published()))
    cli.show(options, f"{table(rows)}\n{out / 'sweep.html'}", {"rows": rows, "page": out / "sweep.html"})
    if all(row.skipped for row in rows):
        raise UsageError(
            f"no mix was measured; {rows[0].label}: {rows[0].skipped}",
            hint=f"what each of them reported lies in {out / 'logs'}",
        )


def _measured(sweep: Sweep, mixes: list[GraphPrecisions], place: Place, about: dict[str, Any]) -> list[Row]:
    """The rows of *mixes*, in their order whatever the order they come in, saved as they come."""
    rows = {mix.label: row for mix in mixes for row in [sweep.known(mix)] if row}
    early: list[tuple[GraphPrecisions, Row]] = []  # drift needs the reference
    missing = [mix for mix in mixes if mix.label not in rows]
    for mix, row in spread(sweep.measured, missing, place.many, "sweep"):
        log.info("%s: %s", mix.label, row.skipped or f"EAO {figure(row.eao)}, {figure(row.fps, 1)} FPS")
        early.append((mix, row))
        if sweep.reference in rows or mix.label == sweep.reference:
            for one, measured in early:
                rows[one.label] = sweep.concluded(one, measured, disturbed=not place.undisturbed)
            early = []
        save(sweep.out / "sweep.json", _in_order(rows, mixes), about)
    return _in_order(rows, mixes)


def _in_order(rows: dict[str, Row], mixes: list[GraphPrecisions]) -> list[Row]:
    return [rows[mix.label] for mix in mixes if mix.label in rows]


def timed_in_turns(
    sweep: Sweep, mixes: list[GraphPrecisions], rows: list[Row], rounds: int, alone: Where[Turn, SpeedReport | None]
) -> list[Row]:
    """The rows with the times of *rounds* in each of which every mix that was measured has its turn."""
    measured = {row.label for row in rows if not row.skipped}
    turns = [sweep.turn(mix, number) for number in range(1, rounds + 1) for mix in mixes if mix.label in measured]
    times = {turn: sweep.known_time(turn) for turn in turns}
    missing = [turn for turn, report in times.items() if report is None]
    times.update(spread(sweep.timed, missing, alone, "rounds"))
    of_label: dict[str, list[SpeedReport]] = defaultdict(list)
    for turn, report in times.items():
        if report:
            of_label[turn.label].append(report)
    return [row.timed(of_label[row.label]) for row in rows]


def _sweep(options: argparse.Namespace, reference: str) -> Sweep:
    """Take the folder for what was asked for."""
    onnx, ranges, annotations, out = options.onnx, options.ranges, options.annotations, options.out
    run = RunOptions.of(options)
    run = replace(run, sequences=run.folder(out))
    videos = run.load(run.folder(out))
    request: dict[str, Any] = {
        "onnx": sha256(onnx / FILE_NAME),
        "backend": options.backend,
        "protocol": Protocol.load(run.protocol).key,
        "annotations": sha256(annotations) if annotations else None,
        "sequences": {sequence.name: truth_sha256(sequence) for sequence in videos},
        "threads": run.threads,
        "machine": machine(),
    }
    if ranges:  # mixes that were skipped for want of ranges can be made up for
        request["ranges"] = sha256(ranges / FILE_NAME)
    claim.take(out / REQUEST, request)
    return Sweep(onnx, run, videos, annotations, ranges, options.backend, out, reference, request)


def _about(sweep: Sweep) -> dict[str, Any]:
    """What the rows are of."""
    Manifest.load(sweep.onnx, stage="export")
    return {
        "model": ModelCard.load(sweep.onnx).title,
        "command": command_line("benchmarks"),
        "environment": describe(),
        "request": sweep.request,
        "frames": {sequence.name: len(sequence) for sequence in sweep.videos},
    }
