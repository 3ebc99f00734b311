"""How well it tracks: the parts of the page that come from the VOT run."""

from __future__ import annotations

from html import escape

from benchmarks.reports.cards.report_drawings import eao_curves
from benchmarks.reports.document import Failure, Report
from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.bars import Bar, bars
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.drawing.plots import THIRD, Point, points


def quality(report: Report) -> list[str]:
    """Cards: EAO curve, accuracy and robustness, attributes, sequences, failures."""
    return [_curve(report), _accuracy_robustness(report), _attributes(report), _sequences(report), _failures(report)]


def _curve(report: Report) -> str:
    low, high, longest = report.protocol.eao_low, report.protocol.eao_high, len(report.measures.curve)
    note = f"EAO is the mean over runs of {low} to {high} frames"
    if longest < low:
        note += f"; the longest here has {longest}, so there is no EAO and nothing is shaded."
    else:
        note += ", shaded" + (f" as far as runs go, which is {longest}." if longest < high else ".")
        note += " A step stands where a run ends and no longer counts."
    drawing = eao_curves([report], [report.title], THIRD)
    return page.chart("Expected average overlap", drawing, note=note, width="third")


def _accuracy_robustness(report: Report) -> str:
    dots = []
    for name, entry in report.measures.sequences.items():
        if entry.accuracy is not None:
            rate = 100 * entry.failures / report.sequences[name].frames
            dots.append(Point(name, rate, entry.accuracy, "a sequence", labelled=len(report.sequences) <= 12))
    if report.measures.accuracy is not None:
        dots.append(Point("all", report.measures.robustness, report.measures.accuracy, "all sequences", labelled=False))
    drawing = points(dots, ("failures in 100 frames", "accuracy, mean overlap"), size=THIRD)
    return page.chart("Accuracy and robustness", drawing, note="Up and to the left is better.", width="third")


def _attributes(report: Report) -> str:
    names = sorted(name for name, eao in report.measures.eao.items() if name != "all" and eao is not None)
    rows = [Bar("all", (report.measures.eao["all"],))]
    rows += [Bar(name.replace("_", " "), (report.measures.eao[name],)) for name in names]
    drawing = bars(rows, ["EAO"], "EAO over frames that carry an attribute", width=THIRD[0])
    absent = sorted(
        name.replace("_", " ") for name, eao in report.measures.eao.items() if eao is None and name != "all"
    )
    note = f"No frame that counts is annotated with {', '.join(absent)}." if absent else ""
    return page.chart("Attributes", drawing, note=note, width="third")


def _sequences(report: Report) -> str:
    speeds = {video.name: video for video in report.speed.videos}
    rows = []
    for name, entry in report.measures.sequences.items():
        run, video = report.sequences[name], speeds.get(name)
        size = f"{run.width_px}x{run.height_px}"
        fps = figure(video.fps if video else None, 1)
        cells = [name, f"{run.frames:,}", size, figure(entry.accuracy), figure(entry.failures, 0), fps]
        rows.append([*cells, "yes" if run.leaked else "no"])
    heads = ["sequence", "frames", "size", "accuracy", "failures", "FPS", "leaked"]
    note = "Leaked: its frames calibrated the engines that are judged on it, which flatters them."
    content = page.table(heads, rows, look="sorts") + page.SORT_HINT
    return page.card("Sequences", content, note=note, width="wide")


def _failures(report: Report) -> str:
    if not report.failures:
        return page.card("Failures", "<p>The target was never lost.</p>", width="wide")
    figures = "".join(_thumbnail(failure) for failure in report.failures)
    note = "Truth in white, what the tracker said in orange; five frames later it was started again."
    return page.card("Failures", f'<div class="gallery">{figures}</div>', note=note, width="wide")


def _thumbnail(failure: Failure) -> str:
    words = f"{failure.sequence}, frame {failure.frame}"
    caption = words if failure.prediction else f"{words}: the tracker said that it was gone"
    image = f'<img alt="{escape(caption, quote=True)}" src="data:image/jpeg;base64,{escape(failure.jpeg_base64)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
