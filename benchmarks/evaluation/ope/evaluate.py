"""The trackers of a folder compared: success and precision, and their table."""

from __future__ import annotations

from pathlib import Path

from benchmarks.evaluation.ope.measures import Measures, measure
from benchmarks.evaluation.ope.results import as_boxes, read, trackers
from sequences.sequence import Sequence
from siamtrt import ArtifactError


def evaluate(results: Path, sequences: list[Sequence]) -> dict[str, Measures]:
    """Measure every tracker below *results*.

    Raises:
        UsageError: there is none.
        ArtifactError: a result is missing, damaged, or of another length; or a sequence has no truth at all.
    """
    truths = {sequence.name: as_boxes(sequence.regions) for sequence in sequences}
    for name, truth in truths.items():
        if not (truth[:, 2:] > 0).all(1).any():
            raise ArtifactError(f"no frame of {name} has a truth with an area", hint="mend the annotation")
    return {
        tracker: measure(truths, {sequence.name: read(results, tracker, sequence) for sequence in sequences})
        for tracker in trackers(results)
    }


def table(measures: dict[str, Measures]) -> str:
    """A table for the terminal, best success first; unannotated frames are listed separately if there are any."""
    lines = [f"{'tracker':32} {'success AUC':>11} {'precision at 20 px':>18}"]
    for name, entry in sorted(measures.items(), key=lambda item: -item[1].success_auc):
        lines.append(f"{name:32} {entry.success_auc:11.3f} {entry.precision_20_px:18.3f}")
        absent = sum(row.frames - row.annotated_frames for row in entry.sequences.values())
        if absent:
            label = f"  without {absent} unannotated frames"
            lines.append(f"{label:32} {entry.annotated_success_auc:11.3f} {entry.annotated_precision_20_px:18.3f}")
    return "\n".join(lines)
