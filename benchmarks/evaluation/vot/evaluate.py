"""The measures of trackers as a table and as a document."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from benchmarks.evaluation.leaks import KEY, leaked_in, warning
from benchmarks.evaluation.vot.annotations import Truth
from benchmarks.evaluation.vot.measures import Measures
from benchmarks.evaluation.vot.protocol import Protocol
from siamtrt import UsageError, documents


def chosen(truths: dict[str, Truth], names: tuple[str, ...]) -> dict[str, Truth]:
    """Those truths that are called *names*; all where none is named.

    Raises:
        UsageError: there is no sequence of such a name.
    """
    unknown = [name for name in names if name not in truths]
    if unknown:
        raise UsageError(f"the annotations have no sequence {', '.join(unknown)}", hint="check --only")
    return {name: truths[name] for name in names or truths}


def conclude(
    measures: dict[str, Measures], results: Path, truths: dict[str, Truth], protocol: Protocol, out: Path | None
) -> str:
    """Write the measures of the trackers in *results* to *out*, if it is named, and give them as a table.

    Raises:
        ArtifactError: *out* cannot be written, or what lies beside the results is damaged.
    """
    leaked = leaked_in(results.resolve().parent, measures, truths)
    if out:
        trackers = {name: asdict(entry) for name, entry in measures.items()}
        documents.write(out, {"protocol": protocol.name, "trackers": trackers, **({KEY: leaked} if leaked else {})})
    return table(measures) + warning(leaked)


def table(measures: dict[str, Measures]) -> str:
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
