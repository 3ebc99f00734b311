"""``python -m benchmarks evaluate``: measures of one or many trackers from their raw results. No images are needed."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Dict, List, Tuple

from tqdm import tqdm

from benchmarks.evaluation.leaks import KEY, leaked_in, told
from benchmarks.evaluation.vot.annotations import Truth, load
from benchmarks.evaluation.vot.measures import Measures, measure
from benchmarks.evaluation.vot.protocol import Protocol
from siamtrt import UsageError, cli
from siamtrt.files import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--protocol", default="vot2018", help="vot2016, vot2018, vot2019, or the path of a .json file")
    parser.add_argument("--annotations", type=Path, required=True, help="PySOT's JSON, or a folder of sequences")
    parser.add_argument("--results", type=Path, required=True, help="folder of TRACKER/baseline/SEQUENCE")
    parser.add_argument("--sequences", nargs="+", help="evaluate these only; all of the annotations by default")
    parser.add_argument("--out", type=Path, help="write the measures as JSON")
    parser.add_argument("--jobs", type=cli.count, default=1, help="trackers evaluated at a time")


def main(options: argparse.Namespace) -> None:
    """Evaluate, print a table, and write the JSON file if one is named."""
    protocol = Protocol.load(options.protocol)
    truths = _chosen(load(options.annotations, protocol.tags), options.sequences)
    found = evaluate(options.results, truths, protocol, options.jobs)
    leaked = leaked_in(options.results.resolve().parent, found, truths)
    if options.out:
        document = {
            "protocol": protocol.name,
            "trackers": {name: asdict(entry) for name, entry in found.items()},
            **({KEY: leaked} if leaked else {}),
        }
        write_text(options.out, json.dumps(document, indent=1) + "\n")
    print(table(found) + told(leaked))  # noqa: T201


def evaluate(results: Path, truths: Dict[str, Truth], protocol: Protocol, jobs: int = 1) -> Dict[str, Measures]:
    """Measure every tracker below *results*.

    Raises:
        UsageError: there is none.
        ArtifactError: see :func:`benchmarks.evaluation.vot.measures.measure`.
    """
    trackers = sorted(path.parent.name for path in results.glob("*/baseline"))
    if not trackers:
        raise UsageError(
            f"{results} holds no tracker", hint="results lie in TRACKER/baseline/SEQUENCE/SEQUENCE_001.txt"
        )
    work = partial(_measure, results=results, truths=truths, protocol=protocol)
    if jobs == 1 or len(trackers) == 1:
        return dict(tqdm(map(work, trackers), total=len(trackers), desc="evaluate", unit="tracker", leave=False))
    with ProcessPoolExecutor(jobs) as executor:
        return dict(
            tqdm(executor.map(work, trackers), total=len(trackers), desc="evaluate", unit="tracker", leave=False)
        )


def table(measures: Dict[str, Measures]) -> str:
    """A table for the terminal, best expected average overlap first."""
    lines = [f"{'tracker':28} {'EAO':>6} {'95 % interval':>15} {'accuracy':>9} {'failures':>9} {'robustness':>11}"]
    ordered = sorted(measures.items(), key=lambda item: -(item[1].eao["all"] or 0))
    for name, entry in ordered:
        interval = "too short" if entry.eao_interval_95 is None else "{:.3f}-{:.3f}".format(*entry.eao_interval_95)
        lines.append(
            f"{name:28} {_figure(entry.eao['all'])} {interval:>15} {_figure(entry.accuracy):>9} "
            f"{entry.failures:9.1f} {entry.robustness:11.3f}"
        )
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.3f}"


def _measure(tracker: str, results: Path, truths: Dict[str, Truth], protocol: Protocol) -> Tuple[str, Measures]:
    return tracker, measure(results, tracker, truths, protocol)


def _chosen(truths: Dict[str, Truth], names: List[str] | None) -> Dict[str, Truth]:
    if names is None:
        return truths
    unknown = [name for name in names if name not in truths]
    if unknown:
        raise UsageError(f"the annotations have no sequence {', '.join(unknown)}", hint="check --sequences")
    return {name: truths[name] for name in names}
