"""Several sweeps side by side: every mix of every model, and what of them is worth having."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.drawing.plots import Point, points
from benchmarks.trials.sweep.row import FORMAT, Row, front
from siamtrt.documents import build
from siamtrt.files import read_json

_SIZE = (1060.0, 420.0)
_THEIRS = "thesis, pruned SiamRPN++ on an AGX Xavier: measured by others"
_TITLE = "What is worth having"

Take = Callable[["Swept", Row], Optional[float]]


@dataclass(frozen=True)
class Swept:
    """One sweep.

    Attributes:
        name: of the model and its backend.
        rows: of its mixes.
        success: label -> success AUC on held-out videos, where it was judged.
    """

    name: str
    rows: Tuple[Row, ...]
    success: Mapping[str, float]

    @classmethod
    def load(cls, path: Path, judged: Path | None) -> Swept:
        """Read ``sweep.json`` and, where there is one, the judgement of its engines.

        Raises:
            ArtifactError: a file is absent or of another kind.
        """
        document = FORMAT.load(path)
        rows = tuple(build(Row, row) for row in document["rows"])
        model, backend = str(document["model"]), str(document["request"]["backend"])
        return cls(f"{model}, {backend}", rows, _success(judged, model, backend))


def _success(judged: Path | None, model: str, backend: str) -> Dict[str, float]:
    """Label -> success of the engines of *model*, which the judge names by the folders they lie in."""
    if judged is None:
        return {}
    found = {}
    for name, entry in read_json(judged).get("models", {}).items():
        home, _, engines = name.partition("/")
        label = engines.split("/")[-1]
        if home == model.replace(" ", "-") and label.startswith(f"{backend}-"):
            found[label[len(backend) + 1 :]] = float(entry["worth"])
    return found


_MEASURES: tuple[tuple[str, Take], ...] = (
    ("EAO", lambda _, row: row.eao),
    ("success on held-out videos", lambda sweep, row: sweep.success.get(row.label)),
    ("overlap with the first mix", lambda _, row: row.drift_overlap),
)
_COSTS: tuple[tuple[str, Take, bool], ...] = (
    ("frames a second", lambda _, row: row.fps, False),
    ("joules a frame", lambda _, row: row.joules_a_frame, True),
)


def fronts_page(swept: Sequence[Swept], thesis: Mapping[str, Any]) -> str:
    """Each measure over each cost, as far as they were measured; the thesis' pruned sizes hollow beside."""
    cards = [
        _card(swept, measure, take, cost, spend, thesis, least_cost=least)
        for measure, take in _MEASURES
        for cost, spend, least in _COSTS
    ]
    names = "".join(f"<li>{escape(sweep.name)}</li>" for sweep in swept)
    return page.page(_TITLE, f'<h1>{_TITLE}</h1><ol>{names}</ol><div class="cards">{"".join(cards)}</div>')


def _card(
    swept: Sequence[Swept],
    measure: str,
    take: Take,
    cost: str,
    spend: Take,
    thesis: Mapping[str, Any],
    *,
    least_cost: bool,
) -> str:
    dots = [
        Point(row.label, x, y, sweep.name)
        for sweep in swept
        for row in sweep.rows
        for x, y in [(spend(sweep, row), take(sweep, row))]
        if x is not None and y is not None
    ]
    heading = f"{measure[0].upper()}{measure[1:]} against {cost}"
    if not dots:
        return page.card(heading, "<p>No mix has both.</p>", width="wide")
    best = front([(dot.x, dot.y) for dot in dots], least_cost=least_cost)
    note = "The dashed line joins what no other mix of any of these models beats in both."
    theirs = []
    if measure == "EAO" and not least_cost:
        theirs = [Point(row["name"], row["fps"], row["eao"], _THEIRS, foreign=True) for row in thesis["pruned"]]
        note += f" Hollow: {thesis['source']}; {thesis['caution']}."
    shown = [Point(dot.name, dot.x, dot.y, dot.group, labelled=(dot.x, dot.y) in best) for dot in dots]
    drawing = points([*shown, *theirs], (cost, measure), front=best, size=_SIZE)
    return page.chart(heading, drawing, note=note, width="wide")


def table(swept: Sequence[Swept]) -> str:
    """The mixes on a front of any measure over the rate, a line each."""
    lines = [f"{'model':36} {'mix':22} {'FPS':>7} {'EAO':>6} {'success':>8} {'drift':>6}"]
    for sweep in swept:
        for row in sweep.rows:
            if row.fps is not None and _is_best(swept, sweep, row):
                values = (figure(row.eao), figure(sweep.success.get(row.label)), figure(row.drift_overlap))
                eao, success, drift = values
                lines.append(f"{sweep.name:36} {row.label:22} {row.fps:7.1f} {eao:>6} {success:>8} {drift:>6}")
    return "\n".join(lines)


def _is_best(swept: Sequence[Swept], sweep: Swept, row: Row) -> bool:
    """Whether no other mix beats it in rate and in one of the measures that it has."""
    for _, take in _MEASURES:
        value = take(sweep, row)
        places = [(other.fps, take(one, other)) for one in swept for other in one.rows if other.fps is not None]
        known = [(x, y) for x, y in places if y is not None]
        if value is not None and row.fps is not None and (row.fps, value) in front(known, least_cost=False):
            return True
    return False
