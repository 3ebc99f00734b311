"""Expected average overlap: how well a run of a typical length goes on average.

Source: Kristan et al., VOT2015; PySOT's evaluation, whose rules for fragments are kept to the letter: a fragment that
ended in a failure counts as zero from there to the length of the longest run, the last fragment of a run just ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siamtrt import Array

ALL, EMPTY = "all", "empty"
_LEAST_SEQUENCES = 2


@dataclass(frozen=True)
class Run:
    """Overlaps of one repetition on one sequence.

    Attributes:
        sequence: its name.
        overlaps: N float64, without burn-in, NaN where there is no region.
        failures: frames in which the target was lost.
        tags: attribute -> N bool.
        absent_tags: how many annotated attributes never occur.
        repetitions: how many there are of this sequence.
    """

    sequence: str
    overlaps: Array
    failures: list[int]
    tags: dict[str, Array]
    absent_tags: int
    repetitions: int


@dataclass(frozen=True)
class Fragments:
    """All fragments of a tracker.

    Attributes:
        overlaps: FxL float64, NaN after the end of a fragment.
        weights: attribute -> F.
        sequences: F, the number of the sequence each belongs to.
    """

    overlaps: Array
    weights: dict[str, Array]
    sequences: Array


def split(runs: list[Run], skip_frames: int) -> Fragments:
    """Cut every run at the frames where its tracker was started again.

    A fragment's weight for an attribute is the share of its frames that carry it. For ``empty`` it is the number of
    attributes that never occur in the sequence, over the fragment's length: PySOT's published figures of this name
    are made so, and it is kept, though it is hardly what was meant.
    """
    longest = max(len(run.overlaps) for run in runs)
    rows: list[Array] = []
    owners: list[int] = []
    weights: dict[str, list[float]] = {tag: [] for tag in (ALL, *runs[0].tags, EMPTY)}
    numbers = {name: number for number, name in enumerate(dict.fromkeys(run.sequence for run in runs))}
    for run in runs:
        for start, end, failed in _pieces(run, skip_frames):
            row = np.full(longest, 0.0 if failed else np.nan)
            piece = run.overlaps[start:end]
            row[: len(piece)] = np.nan_to_num(piece) if run.failures else piece
            rows.append(row)
            owners.append(numbers[run.sequence])
            for tag, collected in weights.items():
                collected.append(_share(run, tag, start, end) / run.repetitions)
    return Fragments(np.array(rows), {tag: np.array(values) for tag, values in weights.items()}, np.array(owners))


def curve(fragments: Fragments, weights: Array) -> Array:
    """The expected overlap of a run of each length, the start included.

    Args:
        fragments: of a tracker.
        weights: F, or BxF for B weightings at once.

    Returns:
        L, or BxL float64; 1 at index 0, 0 where no fragment is that long, NaN where those that are have no weight.
    """
    alive: Array = np.logical_not(np.isnan(fragments.overlaps))
    alive[:, 0] = False
    running = np.cumsum(np.where(alive, fragments.overlaps, 0.0), axis=1)
    means = running / np.maximum(np.arange(fragments.overlaps.shape[1]), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected: Array = (weights @ np.where(alive, means, 0.0)) / (weights @ alive)
    expected[..., ~alive.any(axis=0)] = 0.0
    expected[..., 0] = 1.0
    return expected


def average(expected: Array, low: int, high: int) -> float | None:
    """The mean of a curve from length *low* to *high*; None where no run is that long."""
    window = expected[low - 1 : high]
    valid = window[~np.isnan(window)]
    return float(valid.mean()) if len(valid) else None


def interval(fragments: Fragments, low: int, high: int, draws: int = 1000, seed: int = 0) -> tuple[float, float] | None:
    """A 95 percent interval of the average, by drawing sequences, repetitions and all.

    None where fewer than two sequences have a run that is long enough: draws of one sequence differ in nothing.
    """
    long_enough = np.isfinite(fragments.overlaps[:, low - 1 : high]).any(axis=1) & (fragments.weights[ALL] > 0)
    if len(np.unique(fragments.sequences[long_enough])) < _LEAST_SEQUENCES:
        return None
    rng = np.random.default_rng(seed)
    count = int(fragments.sequences.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    expected = curve(fragments, drawn[:, fragments.sequences] * fragments.weights[ALL])
    window = expected[:, low - 1 : high]
    window = window[np.isfinite(window).any(axis=1)]
    averages = np.nanmean(window, axis=1)
    lower, upper = np.percentile(averages, (2.5, 97.5))
    return float(lower), float(upper)


def _pieces(run: Run, skip_frames: int) -> list[tuple[int, int, bool]]:
    """First frame, end, and whether it failed, of each fragment; a failed one includes the frame of the next start."""
    count = len(run.overlaps)
    starts = [0, *(failure + skip_frames for failure in run.failures if failure + skip_frames <= count)]
    pieces = [(start, following + 1, True) for start, following in zip(starts, starts[1:])]
    return [*pieces, (starts[-1], count, False)]


def _share(run: Run, tag: str, start: int, end: int) -> float:
    length = end - start  # a failed fragment may count one frame past the end of the run
    if length <= 0:
        return 0.0
    if tag == ALL:
        return (min(end, len(run.overlaps)) - start) / length
    if tag == EMPTY:
        return run.absent_tags / length
    return float(run.tags[tag][start:end].sum()) / length
