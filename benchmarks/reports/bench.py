"""Everything there is to measure of an engine folder, in one report and one page.

Each step leaves a file. The first whose file is not there is done, and all after it.
"""

from __future__ import annotations

import itertools
import logging
from typing import Callable, Optional, Tuple

from benchmarks.evaluation.leaks import conclude
from benchmarks.evaluation.plan import Plan, tracker_name
from benchmarks.evaluation.vot import results
from benchmarks.evaluation.vot.annotations import as_annotations, load
from benchmarks.evaluation.vot.measures import measure, table
from benchmarks.evaluation.vot.run import run_sequence
from benchmarks.profiling.layers.profile import profile
from benchmarks.profiling.layers.tables import summary
from benchmarks.profiling.speed import run as speed
from benchmarks.profiling.speed.speed_report import SpeedReport
from benchmarks.profiling.speed.table import table as speed_table
from benchmarks.reports.cards.sections import headline, report_page
from benchmarks.reports.collect import collect
from benchmarks.reports.document import Report
from benchmarks.reports.job import TRACKER, Job
from siamtrt import Manifest, PipelineError, documents
from siamtrt import manifest as manifests
from siamtrt.environment import describe
from siamtrt.files import write_text

_IDLE_S = 3.0

Step = Tuple[str, str, Callable[[Job], Optional[str]]]  # its name, its file, and what writes it

log = logging.getLogger(__name__)


def bench(job: Job, show: Callable[[str], None]) -> None:
    """Carry out the first step whose file is not there, and all after it: what they left was made from older figures.

    A finished bench whose times were doubtful is timed again, in the hope of a calmer machine.

    Args:
        job: what to measure.
        show: is given a table of the figures of each step that has some.

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
    if len(done) == len(steps):
        done = _undoubted(job, done)
    if len(done) < len(steps):
        # At once, so that an interruption does not leave old files to be taken for new ones.
        for stale in (closed, *(job.out / file for _, file, _ in steps[len(done) :])):
            stale.unlink(missing_ok=True)
    for name, _, step in steps[len(done) :]:
        log.info("%s ...", name)
        figures = step(job)
        if figures:
            show(figures)
    if len(done) == len(steps):
        show(_figures(Report.load(job.out / "report.json")))
    if not closed.is_file():
        _close(job)


def _undoubted(job: Job, done: list[Step]) -> list[Step]:
    """The steps of a finished bench whose figures stand: those before its times where these were doubtful."""
    doubts = SpeedReport.load(job.out / "speed.json").figures.warnings
    if not doubts:
        return done
    log.info("measured again, the times were doubtful: %s", "; ".join(doubts))
    return [step for step in done if step[1] in ("annotations.json", "evaluation.json")]


def _close(job: Job) -> None:
    """Write the manifest, which declares the folder finished."""
    files = [file for _, file, _ in STEPS if (job.out / file).is_file()]
    parents = [job.engines / manifests.FILE_NAME, *([job.annotations] if job.annotations else [])]
    settings = {
        "protocol": job.run.protocol,
        "sequences": job.names,
        "threads": job.run.threads,
        "probe": job.probe.name,
    }
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
    document = as_annotations(list(job.sequences), job.protocol.tags)
    documents.write(job.truth, document, indent=None)


def _evaluate(job: Job) -> str:
    """Run the protocol, which resumes by itself, and measure."""
    protocol, sequences = job.protocol, list(job.sequences)
    plan = Plan.of(job.run, sequences, job.out / "vot", protocol.rules, TRACKER)
    for sequence in plan.waiting(sequences, results.result_path):
        run_sequence(sequence, plan, protocol)
    folder = job.out / "vot" / "results"
    truths = load(job.truth, protocol.tags, tuple(job.names))
    measures = {name: measure(name, folder, truths, protocol) for name in results.trackers(folder)}
    leaks = conclude(measures, protocol.name, job.out / "vot", truths, job.out / "evaluation.json")
    return table({tracker_name(job.engines): measures[TRACKER]}) + leaks


def _speed(job: Job) -> str:
    settings = speed.Settings(job.protocol, threads=job.run.threads, probe=job.probe, idle_s=_IDLE_S)
    report = speed.measure(job.engines, job.sequences, settings, command=job.command)
    report.save(job.out / "speed.json")
    return speed_table(report)


def _layers(job: Job) -> Optional[str]:
    """Profile; a backend that cannot be profiled leaves its reason."""
    reason, path = "left out on request", job.out / "layers.json"
    if job.layer_runs:
        try:
            report = profile(job.engines, job.layer_runs, job.run.threads)
            report.save(path)
            return summary(report)
        except PipelineError as error:
            log.warning("no latency of layers: %s", error.problem)
            reason = error.problem
    documents.write(path, {"reason": reason}, indent=None)
    return None


def _page(job: Job) -> str:
    report = Report.load(job.out / "report.json")
    beside = [file for _, file, _ in STEPS if file.endswith(".json") and (job.out / file).is_file()]
    write_text(job.out / "report.html", report_page(report, beside))
    return _figures(report)


def _figures(report: Report) -> str:
    """What the tiles of the page say, as lines for the terminal."""
    return "\n".join(f"{name:16} {figure:>10}  {note}" for name, figure, note in headline(report))


STEPS: Tuple[Step, ...] = (
    ("annotations", "annotations.json", _annotate),
    ("vot", "evaluation.json", _evaluate),
    ("speed", "speed.json", _speed),
    ("layers", "layers.json", _layers),
    ("report", "report.json", collect),
    ("page", "report.html", _page),
)
