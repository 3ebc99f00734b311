"""``python -m benchmarks bench``: everything there is to measure of an engine folder, in one report and one page."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.evaluation.options import RunOptions, declare
from benchmarks.profiling.power.probe import AUTO, CHOICES, ProbeChoice, program
from benchmarks.profiling.power.tegrastats_process import COMMAND
from benchmarks.profiling.speed.conditions import warn_before
from benchmarks.reports.bench import bench
from benchmarks.reports.job import Job
from siamtrt import UsageError
from siamtrt.cli import command_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = ("engines", "sequences", "only", "protocol", "threads", "allow_leak")
    declare(parser, *names, required=["engines"], stand_ins={"sequences": "a rendered clip"})
    parser.add_argument("--annotations", type=Path, help="PySOT's JSON; made from the sequences by default")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report; rerun to resume")
    parser.add_argument("--layer-runs", type=int, default=50, help="that the medians of the layers are of; 0 for none")
    parser.add_argument("--probe", choices=CHOICES, default=AUTO, help="of the power: sysfs, a program, or a service")
    parser.add_argument("--tegrastats", type=program, default=COMMAND, help="how that program is run")


def main(options: argparse.Namespace) -> None:
    """Do what is not done yet, and print where the page lies."""
    if options.layer_runs < 0:
        raise UsageError(f"{options.layer_runs} runs have no median", hint="--layer-runs 50, or 0 for no layers")
    run = RunOptions.of(options)
    job = Job(
        engines=options.engines,
        run=run,
        sequences=tuple(run.load(run.folder(options.out))),
        annotations=options.annotations,
        out=options.out,
        layer_runs=options.layer_runs,
        probe=ProbeChoice(options.probe, tegrastats=options.tegrastats),
        command=command_line("benchmarks"),
    )
    warn_before()
    bench(job, show=print)
    print(job.out / "report.html")
