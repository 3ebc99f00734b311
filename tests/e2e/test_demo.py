"""The shipped weights on the rendered clip: what ``make demo`` shows."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.reports.demo import SHEET_NAME, run
from runtime.annotate import GREEN, WHITE
from sequences.rendered.command import write_clip
from siamtrt import ArtifactError, UsageError
from tests.docs.pages import blocks

LEGEND_PX = 36


def test_the_shipped_model_keeps_the_target_through_the_occlusion(shipped_engines, tmp_path):
    write_clip(tmp_path / "clip", seed=7, count=180)
    outcome = run(shipped_engines, tmp_path / "clip", tmp_path / "out", threads=1)
    assert np.mean(outcome.overlaps) >= 0.6
    assert min(outcome.overlaps) > 0  # never lost, no reset
    assert any(outcome.occluded)
    sheet = cv2.imread(str(tmp_path / "out" / "contact_sheet.png"))
    assert sheet.shape == (900 + LEGEND_PX, 1600, 3)
    assert int(cv2.VideoCapture(str(tmp_path / "out" / "annotated.mp4")).get(cv2.CAP_PROP_FRAME_COUNT)) == 180
    summary = (tmp_path / "out" / "summary.txt").read_text()
    assert f"{np.mean(outcome.overlaps):.3f}" in summary
    assert "contact_sheet.png" in summary
    (promised,) = blocks(Path(__file__).parents[2] / "README.md", "text")
    for printed, line in zip(summary.splitlines(), promised.splitlines(), strict=True):
        label, value = re.split(r"  +", line)
        assert printed.startswith(label)
        if re.match(r"\d+\.\d", value):
            assert float(printed.split()[-1]) == pytest.approx(float(value), abs=0.02)


def test_a_clip_that_is_not_whole_is_refused(tiny_engines, tmp_path):
    with pytest.raises(UsageError, match="holds no sequence"):
        run(tiny_engines, tmp_path / "clip", tmp_path / "out")
    write_clip(tmp_path / "clip", seed=1, count=3)
    (tmp_path / "clip" / "color" / "00000002.jpg").unlink()
    with pytest.raises(ArtifactError, match="2 images for 3 lines of truth"):
        run(tiny_engines, tmp_path / "clip", tmp_path / "out")


@pytest.mark.parametrize("frames", [2, 5])
def test_a_clip_of_a_few_frames_has_a_contact_sheet_too(tiny_engines, tmp_path, frames):
    write_clip(tmp_path / "clip", seed=1, count=frames)
    outcome = run(tiny_engines, tmp_path / "clip", tmp_path / "out", threads=1)
    assert len(outcome.overlaps) == frames - 1
    height = cv2.imread(str(tmp_path / "out" / "contact_sheet.png")).shape[0]
    assert height == LEGEND_PX + 300 * (1 if frames == 2 else 2)  # a legend above


def test_the_contact_sheet_has_a_legend_and_scores_in_the_colours_of_the_boxes(tiny_engines, tmp_path):
    write_clip(tmp_path / "clip", seed=1, count=2)
    run(tiny_engines, tmp_path / "clip", tmp_path / "out", threads=1)
    sheet = cv2.imread(str(tmp_path / "out" / SHEET_NAME)).astype(int)
    for color, left, top, height in ((WHITE, 0, 0, LEGEND_PX), (GREEN, 180, 0, LEGEND_PX), (GREEN, 684, 39, 22)):
        part = sheet[top : top + height, left : left + 116]
        rows = np.flatnonzero((np.abs(part - color).max(axis=2) < 60).any(axis=1))
        assert rows.max() - rows.min() >= 9  # pixels high
