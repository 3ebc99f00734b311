"""The sweep as a table and a page: every mix, the Pareto fronts, and beside them what someone else measured."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from benchmarks.profiling.graph_work import arithmetic
from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.drawing.plots import Point, points
from benchmarks.trials.sweep.marginals import marginals
from benchmarks.trials.sweep.row import Row, front
from siamtrt.files import read_json

_THESIS = Path(__file__).parents[2] / "reports" / "published" / "thesis_agx_xavier.json"
_SIZE = (1060.0, 420.0)
_OURS, _FRONT, _THEIRS = (
    "measured here",
    "measured here, on the front",
    "thesis, AGX Xavier, VOT2018: measured by others",
)


def published() -> dict[str, Any]:
    """The thesis' table: ``source``, ``caution``, ``rows``, ``remarks``."""
    return read_json(_THESIS)


def table(rows: Sequence[Row]) -> str:
    """A line a mix for the terminal."""
    heads = f"{'EAO':>6} {'accuracy':>9} {'failures':>9} {'drift':>6} {'FPS':>7} {'J/frame':>8}  FPS in rounds"
    lines = [f"{'target+search+xcorr':22} {heads}"]
    for row in rows:
        if row.skipped:
            lines.append(f"{row.label:22} skipped: {row.skipped}")
            continue
        lines.append(
            f"{row.label:22} {figure(row.eao):>6} {figure(row.accuracy):>9} {figure(row.failures, 0):>9} "
            f"{figure(row.drift_overlap):>6} {figure(row.fps, 1):>7} {figure(row.joules_a_frame):>8}  "
            f"{_spread(row)}".rstrip()
        )
    return "\n".join(lines)


def _spread(row: Row) -> str:
    """The slowest and the fastest round."""
    return f"{min(row.fps_rounds):.1f} to {max(row.fps_rounds):.1f}" if row.fps_rounds else "-"


def sweep_page(rows: Sequence[Row], about: dict[str, Any], thesis: dict[str, Any]) -> str:
    """The whole page, as HTML that needs nothing else.

    Args:
        rows: of all mixes.
        about: as ``sweep.json`` holds it.
        thesis: see :func:`published`.
    """
    mixes = "1 mix" if len(rows) == 1 else f"{len(rows)} mixes"
    title = f"{about['model']}: {mixes} of precision on {about['request']['backend']}"
    machine = about["environment"].get("board") or about["environment"].get("cpu") or "unknown machine"
    frames = about["frames"]
    head = (
        f'<h1>{escape(title)}</h1><p class="quiet">{len(frames)} sequence{"s" if len(frames) > 1 else ""}, '
        f"{sum(frames.values()):,} frames, on {escape(machine)}{_threads(about)}</p>{_leak(rows)}"
    )
    computed = arithmetic({**about["request"], "precision": "fp16"}) if any("fp16" in row.label for row in rows) else ""
    measure, values = _quality(rows)
    spread = marginals(rows, values, measure, thesis)
    cards = [_rate(rows, thesis), _joules(rows), spread, _mixes(rows, computed), _thesis(thesis), _skipped(rows)]
    return page.page(title, f'{head}<div class="cards">{"".join(cards)}</div>')


def _leak(rows: Sequence[Row]) -> str:
    names = [row.label for row in rows if row.leaked]
    if not names:
        return ""
    words = f"Calibrated on sequences they are judged on, on request: {', '.join(names)}."
    return f'<p class="warning"><strong>Leaked.</strong> {escape(words)}</p>'


def _threads(about: dict[str, Any]) -> str:
    threads = about["request"].get("threads")
    return f", {threads} thread{'s' if threads > 1 else ''}" if threads else ""


def _quality(rows: Sequence[Row]) -> tuple[str, dict[str, float]]:
    """How well each mix tracks, by the best measure that there is: EAO, accuracy, or drift from the first mix."""
    by_measure: dict[str, Callable[[Row], float | None]] = {
        "EAO": lambda row: row.eao,
        "accuracy": lambda row: row.accuracy,
        "overlap with the first mix": lambda row: row.drift_overlap,
    }
    for name, take in by_measure.items():
        known = {row.label: take(row) for row in rows}
        values = {label: value for label, value in known.items() if value is not None}
        if values:
            return name, values
    return "EAO", {}


def _rate(rows: Sequence[Row], thesis: dict[str, Any]) -> str:
    measure, values = _quality(rows)
    note = "Up and to the right is better; the dashed line joins the mixes that no other beats in both. "
    theirs = []
    if measure == "EAO":
        theirs = [
            Point(row["name"], row["fps"], row["eao"], _THEIRS, foreign=True, labelled="+" not in row["name"])
            for row in [*thesis["rows"], *thesis["elsewhere"]]
        ]
        note += f"Hollow: {thesis['source']}. Another model, machine and set of sequences, so only the shapes compare."
    else:
        note += f"No run is long enough for an EAO, so this is {measure}."
    places = {row.label: (row.fps, values[row.label]) for row in rows if row.fps is not None and row.label in values}
    return _against("frames a second", measure, places, theirs, note, "No mix has both.", least_cost=False)


def _joules(rows: Sequence[Row]) -> str:
    reasons = sorted({row.no_power for row in rows if row.no_power}) or ["no mix was measured"]
    why = f"Not drawn, there are no joules: {escape('; '.join(reasons))}."
    note = "Up and to the left is better. The thesis gives no energy of the module, so it has no dot here."
    measure, values = _quality(rows)
    drawn = [row for row in rows if row.joules_a_frame is not None and row.label in values]
    places = {row.label: (row.joules_a_frame or 0.0, values[row.label]) for row in drawn}
    return _against("joules a frame", measure, places, [], note, why, least_cost=True)


def _against(
    axis: str,
    measure: str,
    places: dict[str, tuple[float, float]],
    theirs: list[Point],
    note: str,
    why: str,
    *,
    least_cost: bool,
) -> str:
    """A *measure* over an *axis*, with its front; or *why*, as markup, there is nothing to draw."""
    heading = f"{measure[0].upper()}{measure[1:]} against {axis}"
    if not places:
        return page.card(heading, f"<p>{why}</p>", width="wide")
    best = front(list(places.values()), least_cost=least_cost)
    drawing = points([*_dots(places, best), *theirs], (axis, measure), front=best, size=_SIZE)
    return page.chart(heading, drawing, note=note, width="wide")


def _dots(places: dict[str, tuple[float, float]], best: list[tuple[float, float]]) -> list[Point]:
    return [
        Point(label, x, y, _FRONT if (x, y) in best else _OURS, labelled=(x, y) in best)
        for label, (x, y) in sorted(places.items(), key=lambda item: item[1] in best)
    ]


_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("target+search+xcorr", lambda row: row.label),
    ("EAO", lambda row: figure(row.eao)),
    ("95 % interval", lambda row: "{:.3f} to {:.3f}".format(*row.eao_interval_95) if row.eao_interval_95 else "-"),
    ("accuracy", lambda row: figure(row.accuracy)),
    ("failures", lambda row: figure(row.failures, 0)),
    ("drift", lambda row: figure(row.drift_overlap)),
    ("FPS", lambda row: figure(row.fps, 1)),
    ("FPS in rounds", lambda row: _spread(row)),
    ("update ms", lambda row: figure(row.update_p50_ms, 2)),
    ("W", lambda row: figure(row.mean_w, 2)),
    ("J a frame", lambda row: figure(row.joules_a_frame)),
)


def _mixes(rows: Sequence[Row], computed: str) -> str:
    heads = [head for head, _ in _COLUMNS]
    lines = [[cell(row) for _, cell in _COLUMNS] for row in rows if not row.skipped]
    note = (
        "Drift: mean overlap with the boxes of the first mix, both without resets; EAO is chaotic on few sequences, "
        "drift says little once the target is lost. "
        "Each mix has a report of its own, with every sample, behind its name. FPS is the median of rounds in each of "
        "which every mix had its turn; mixes whose rounds overlap are not told apart by it."
    )
    note += f" {computed}." if computed else ""
    shaky = [row.label for row in rows if row.unstable]
    which = "all" if len(shaky) == len(lines) else ", ".join(shaky)
    note += f" Times to doubt, the reasons stand in the reports: {which}." if shaky else ""
    links = [f"reports/{row.label}/report.html" for row in rows if not row.skipped]
    content = page.table(heads, lines, look="sorts dense", links=links) + page.SORT_HINT
    return page.card("Measured here", content, note=note, width="wide")


def _thesis(thesis: dict[str, Any]) -> str:
    heads = ["", "EAO", "accuracy", "robustness", "FPS", "GPU W", "J a frame, as the thesis takes it"]
    digits = {"eao": 3, "accuracy": 3, "robustness": 3, "fps": 1, "gpu_w": 1}
    lines = [
        [*(row["name"], *(figure(row[name], count) for name, count in digits.items())), figure(thesis_joules(row), 2)]
        for row in [*thesis["rows"], *thesis["elsewhere"], *thesis["pruned"]]
    ]
    note = f"From {thesis['source']}: {thesis['caution']}. Also: {'; '.join(thesis['remarks'])}."
    content = page.table(heads, lines, foreign=[True] * len(lines))
    return page.card("Measured by someone else, for comparison", content, note=note, width="wide")


def thesis_joules(row: Mapping[str, Any]) -> float | None:
    """The largest running mean of the GPU's watts over the rate: what the thesis calls the energy of a frame."""
    return row["gpu_w"] / row["fps"] if row["gpu_w"] else None


def _skipped(rows: Sequence[Row]) -> str:
    lines = [[row.label, row.skipped] for row in rows if row.skipped]
    if not lines:
        return ""
    return page.card(
        "Skipped", page.table([], lines, look="words"), note="In the words of what refused it.", width="wide"
    )
