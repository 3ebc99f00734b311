from __future__ import annotations

import json
import statistics

import pytest

from siamtrt import UsageError
from studies.update_cost import _arguments, main, medians
from tests.videos import write_video


def test_every_model_has_a_sample_of_every_frame_and_the_first_is_the_measure(tiny_engines, tmp_path, capsys):
    write_video(tmp_path / "clip", 9)
    words = ["--engines", tiny_engines, "--clip", tmp_path / "clip", "--out", tmp_path / "cost.json"]
    main(_arguments().parse_args([str(word) for word in words]))
    record = json.loads((tmp_path / "cost.json").read_text())
    ((name, samples),) = record["rows"].items()
    assert record["engines_manifest"]["files"][f"{name}: search.onnx"]
    assert medians(tmp_path / "cost.json") == [statistics.median(samples["processor_ms"])]
    assert len(samples["wall_ms"]) == len(samples["processor_ms"]) == 8
    assert f"1.00 of the first  tiny, {tiny_engines}" in capsys.readouterr().out


def test_a_clip_that_leaves_nothing_to_time_is_refused(tmp_path):
    write_video(tmp_path / "clip", 6)
    options = _arguments().parse_args(["--engines", "nowhere", "--clip", str(tmp_path / "clip")])
    with pytest.raises(UsageError, match="clip has 6 frames; the first and 5 updates after it are not timed"):
        main(options)
    (tmp_path / "clip" / "groundtruth.txt").unlink()
    with pytest.raises(UsageError, match="clip has no box"):
        main(options)
