from __future__ import annotations

import pytest
from matplotlib import pyplot as plt

from training import report


def history(steps):
    entries = [{"step": s, "loss": 1 / s, "cls": 0.5 / s, "lr": 0.1} for s in range(1, steps + 1)]
    entries[-1]["score"] = 0.5
    return entries


@pytest.mark.parametrize(("steps", "points"), [(8, 7), (12, 10), (400, 351)])
def test_a_short_run_has_curves_too(tmp_path, monkeypatch, steps, points):
    figures = []
    monkeypatch.setattr(plt, "close", figures.append)
    report.draw(history(steps), tmp_path / "curves.png")
    monkeypatch.undo()
    (figure,) = figures
    losses, scores, _ = figure.axes
    assert [line.get_label() for line in losses.lines] == ["loss", "cls"]
    assert [len(line.get_xdata()) for line in losses.lines] == [points, points]
    assert list(scores.lines[0].get_ydata()) == [0.5]
    plt.close(figure)
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_a_loss_that_only_some_steps_have_is_drawn_where_it_is(tmp_path, monkeypatch):
    entries = history(8)
    for entry in entries[::2]:
        entry["distil"] = 1.0
    figures = []
    monkeypatch.setattr(plt, "close", figures.append)
    report.draw(entries, tmp_path / "curves.png")
    monkeypatch.undo()
    (figure,) = figures
    (line,) = (line for line in figure.axes[0].lines if line.get_label() == "distil")
    assert list(line.get_xdata()) == [1, 3, 5, 7]
    plt.close(figure)


def test_the_history_is_a_table_with_a_row_a_step(tmp_path):
    report.write_report(history(2), tmp_path)
    assert (
        tmp_path / report.HISTORY_NAME
    ).read_text() == "step,loss,cls,lr,score\n1,1.0,0.5,0.1,\n2,0.5,0.25,0.1,0.5\n"
    report.write_report([], tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
