from __future__ import annotations

import json

from siamtrt import GraphPrecisions
from studies.target_batch import BATCH, BESIDE, IN_TURN, _arguments, main
from tests import tiny
from tests.built import build
from tests.videos import write_video


def test_all_ways_have_a_sample_of_every_frame_and_the_same_boxes(tiny_engines, tmp_path, capsys):
    write_video(tmp_path / "clip", 9)
    tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    build(tmp_path / "onnx", tmp_path / "two", "onnxruntime", GraphPrecisions.parse("fp32"), "", targets=2)
    folders = ["--single", tiny_engines, "--batched", tmp_path / "two", "--clip", tmp_path / "clip"]
    words = [*folders, "--targets", "3", "--out", tmp_path / "batch.json"]
    main(_arguments().parse_args([str(word) for word in words]))
    found = json.loads((tmp_path / "batch.json").read_text())
    assert {len(column) for column in found["ms"].values()} == {8}
    assert set(found["ratios"]) == set(found["ms"]) == {IN_TURN, BESIDE, BATCH}
    assert min(found["ratios"].values()) > 0
    assert capsys.readouterr().out.count("boxes at most 0.000 px apart") == 3
