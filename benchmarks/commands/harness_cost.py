"""``python -m benchmarks harness-cost``: how much slower a frame looks because it is timed."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.evaluation.options import declare
from benchmarks.profiling.overheads.harness import HarnessCost, measure
from benchmarks.profiling.power.probe import NONE, ProbeChoice, add_probe_arguments
from runtime.tracker import Tracker
from sequences.annotated import load_sequence
from siamtrt import Manifest, UsageError, cli, documents
from siamtrt.cli import command_line
from siamtrt.environment import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", "threads", required=["engines"], stand_ins={"threads": "1"})
    parser.add_argument("--clip", type=Path, required=True, help="folder written by python -m benchmarks clip")
    parser.add_argument("--frames", type=int, default=20, help="of the clip, in each round")
    parser.add_argument("--rounds", type=int, default=200, help="the medians are of")
    add_probe_arguments(parser)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.set_defaults(probe=NONE, threads=1)
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    if options.rounds < 4 or options.frames < 2:
        raise UsageError("a round takes two frames, and quartiles four rounds", hint="--frames 20 --rounds 200")
    manifest = Manifest.load(options.engines, stage="engines")
    part = load_sequence(options.clip)
    part = replace(part, images=part.images[: options.frames], regions=part.regions[: options.frames])
    with Tracker.open(options.engines, threads=options.threads) as tracker:
        cost = measure(tracker, part, options.rounds, ProbeChoice.of(options))
    if options.out:
        provenance = {"environment": describe(), "engines_manifest": asdict(manifest)}
        documents.write(options.out, {"command": command_line("benchmarks"), **asdict(cost), **provenance})
    cli.show(options, table(cost), cost)


def table(cost: HarnessCost) -> str:
    """The figures as lines for the terminal."""
    low, high = cost.seen_share_quartiles
    return (
        f"update in a bare loop      {cost.bare_ms:.4f} ms\n"
        f"the harness for a frame    {cost.own_ms:.4f} ms, {cost.own_share:.2%} of an update\n"
        f"its figures are off by     {cost.seen_share:+.2%} "
        f"(median of {cost.rounds} pairs; quartiles {low:+.2%} and {high:+.2%})"
    )
