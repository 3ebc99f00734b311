"""``python -m benchmarks bench``: everything there is to measure of an engine folder, in one report and one page.

The steps are commands of their own; each leaves a file. The first whose file is not there is done, and all after it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
from pathlib import Path
from types import ModuleType
from typing import Callable, List, Tuple

from benchmarks.evaluation.vot import evaluate as evaluate_command
from benchmarks.evaluation.vot import run as vot_command
from benchmarks.evaluation.vot.folders import as_annotations
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.layers import command as layers_command
from benchmarks.profiling.power.probe import AUTO, CHOICES, program
from benchmarks.profiling.speed import command as speed_command
from benchmarks.reports.cards.sections import report_page
from benchmarks.reports.collect import TRACKER, collect
from benchmarks.reports.document import Report
from benchmarks.reports.job import Job
from sequences.annotated import load_sequences
from sequences.rendered.command import write_clip
from siamtrt import Manifest, PipelineError, UsageError, cli
from siamtrt import manifest as manifests
from siamtrt.cli import command_line
from siamtrt.environment import describe
from siamtrt.files import write_text

_CLIP_SEED, _CLIP_FRAMES = 7, 180

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    parser.add_argument("--sequences", type=Path, help="folder of NAME/color, NAME/groundtruth.txt; a rendered clip")
    parser.add_argument("--only", nargs="+", default=[], help="names of the sequences to run; all by default")
    parser.add_argument("--protocol", default="vot2018", help="vot2016, vot2018, vot2019, or the path of a .json file")
    parser.add_argument("--annotations", type=Path, help="PySOT's JSON; made from the sequences by default")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report; rerun to resume")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    parser.add_argument("--layer-runs", type=int, default=50, help="that the medians of the layers are of; 0 for none")
    parser.add_argument("--probe", choices=CHOICES, default=AUTO, help="of the power: sysfs, a program, or a service")
    parser.add_argument("--tegrastats", type=program, help="how that program is run")
    parser.add_argument("--allow-leak", action="store_true", help="run on sequences that calibrated the engines")


def main(options: argparse.Namespace) -> None:
    """Do what is not done yet, and print where the page lies."""
    if options.layer_runs < 0:
        raise UsageError(f"{options.layer_runs} runs have no median", hint="--layer-runs 50, or 0 for no layers")
    root = options.sequences or rendered(options.out / "sequences")
    job = Job(
        engines=options.engines,
        root=root,
        sequences=tuple(load_sequences(root, tuple(options.only))),
        protocol=options.protocol,
        annotations=options.annotations,
        out=options.out,
        threads=options.threads,
        layer_runs=options.layer_runs,
        probe=options.probe,
        tegrastats=options.tegrastats,
        leak_allowed=options.allow_leak,
        command=command_line("benchmarks"),
    )
    bench(job)
    print(job.out / "report.html")  # noqa: T201


def bench(job: Job) -> None:
    """Carry out the first step whose file is not there, and all after it: what they left was made from older figures.

    Raises:
        ArtifactError: the folder holds another bench.
        PipelineError: of a step; what was finished before is kept.
    """
    job.claim()
    closed = job.out / manifests.FILE_NAME
    steps = STEPS[1:] if job.annotations else STEPS  # the first makes annotations
    done = list(itertools.takewhile(lambda step: (job.out / step[1]).is_file(), steps))
    for name, file, _ in done:
        log.info("%s: kept %s", name, job.out / file)
    if len(done) < len(steps):
        # At once, so that an interruption does not leave old files to be taken for new ones.
        for stale in (closed, *(job.out / file for _, file, _ in steps[len(done) :])):
            stale.unlink(missing_ok=True)
    for name, _, step in steps[len(done) :]:
        log.info("%s ...", name)
        step(job)
    if not closed.is_file():
        _close(job)


def _close(job: Job) -> None:
    """Write the manifest, which declares the folder finished."""
    files = [file for _, file, _ in STEPS if (job.out / file).is_file()]
    parents = [job.engines / manifests.FILE_NAME, *([job.annotations] if job.annotations else [])]
    settings = {"protocol": job.protocol, "sequences": job.names, "threads": job.threads, "probe": job.probe}
    Manifest.of(
        job.out,
        files,
        stage="benchmarks",
        command=job.command,
        parents=parents,
        settings=settings,
        environment=describe(),
    ).save(job.out)


def _annotate(job: Job) -> None:
    tags = Protocol.load(job.protocol).tags
    write_text(job.truth, json.dumps(as_annotations(list(job.sequences), tags)) + "\n")


def _evaluate(job: Job) -> None:
    """Run the protocol, which resumes by itself, and measure."""
    leak = ["--allow-leak"] if job.leak_allowed else []
    _run(vot_command, "vot", [*_engines(job), "--tracker", TRACKER, "--out", job.out / "vot", *leak])
    truth = ["--protocol", job.protocol, "--annotations", job.truth, "--sequences", *job.names]
    results = ["--results", job.out / "vot" / "results", "--out", job.out / "evaluation.json"]
    _run(evaluate_command, "evaluate", [*truth, *results])


def _speed(job: Job) -> None:
    probe = ["--probe", job.probe, *(["--tegrastats", job.tegrastats] if job.tegrastats else [])]
    _run(speed_command, "speed", [*_engines(job), *probe, "--out", job.out / "speed.json"])


def _layers(job: Job) -> None:
    """Profile; a backend that cannot be profiled leaves its reason."""
    path = job.out / "layers.json"
    threads = ["--threads", job.threads] if job.threads else []
    if not job.layer_runs:
        write_text(path, json.dumps({"reason": "left out on request"}) + "\n")
        return
    try:
        _run(layers_command, "layers", ["--engines", job.engines, "--runs", job.layer_runs, "--out", path, *threads])
    except PipelineError as error:
        log.warning("no latency of layers: %s", error.problem)
        write_text(path, json.dumps({"reason": error.problem}) + "\n")


def _page(job: Job) -> None:
    write_text(job.out / "report.html", report_page(Report.load(job.out / "report.json")))


STEPS: Tuple[Tuple[str, str, Callable[[Job], None]], ...] = (
    ("annotations", "annotations.json", _annotate),
    ("vot", "evaluation.json", _evaluate),
    ("speed", "speed.json", _speed),
    ("layers", "layers.json", _layers),
    ("report", "report.json", collect),
    ("page", "report.html", _page),
)


def _engines(job: Job) -> List[object]:
    threads = ["--threads", job.threads] if job.threads else []
    chosen = ["--engines", job.engines, "--sequences", job.root, "--only", *job.names]
    return [*chosen, "--protocol", job.protocol, *threads]


def _run(command: ModuleType, name: str, words: List[object]) -> None:
    """Run a command of this package with its own options."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", allow_abbrev=False)
    command.add_arguments(parser)
    command.main(parser.parse_args([str(word) for word in words]))


def rendered(root: Path) -> Path:
    """The clip that serves where there is no data set; rendered once."""
    if not (root / "clip" / "groundtruth.txt").is_file():
        write_clip(root / "clip", _CLIP_SEED, _CLIP_FRAMES)
    return root
