from __future__ import annotations

import json

import pytest

from benchmarks.speed import summarise
from benchmarks.vot.results import result_path
from siamtrt import UsageError

MS = 1_000_000


def write_run(root, name, codes, times_ms):
    path = result_path(root / "results", "T", name)
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{code}\n" for code in codes))
    folder = root / "times" / "T"
    folder.mkdir(parents=True, exist_ok=True)
    frames = [None if time is None else time * MS for time in times_ms]
    (folder / f"{name}.json").write_text(json.dumps({"unit": "ns", "frames": frames}))


BOX = "1.0,2.0,3.0,4.0"


def test_figures_of_a_run_with_known_times(tmp_path):
    write_run(tmp_path, "a", [1, *[BOX] * 20], [30, *[10] * 20])
    write_run(
        tmp_path, "b", [1, BOX, 2, 0, 0, 0, 0, 1, *[BOX] * 8], [50, 20, 20, None, None, None, None, 50, *[20] * 8]
    )
    found = summarise(tmp_path, "T")
    assert found.frames == 21 + 12
    assert found.fps_pooled == pytest.approx(33 / 0.530)
    assert found.fps_mean_of_videos == pytest.approx((21 / 0.230 + 12 / 0.300) / 2)
    assert found.start_ms == 50
    assert found.update_ms["p50"] == pytest.approx(15)
    assert found.update_ms["max"] == 20
    assert "standard deviation" in found.unstable


def test_a_steady_run_raises_no_doubt(tmp_path):
    write_run(tmp_path, "a", [1, *[BOX] * 30], [30, *[10] * 30])
    assert summarise(tmp_path, "T").unstable is None


def test_missing_times_are_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no times of T"):
        summarise(tmp_path, "T")
    write_run(tmp_path, "a", [1, BOX], [30, 10])
    with pytest.raises(UsageError, match="too few frames"):
        summarise(tmp_path, "T")
