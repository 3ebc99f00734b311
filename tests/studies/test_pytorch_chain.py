from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the study needs torch")

from siamtrt import GraphPrecisions
from studies.pytorch_chain import ENGINES, PYTORCH, _arguments, main
from tests.built import build
from tests.videos import write_video

WEIGHTS = Path(__file__).parents[2] / "weights" / "siamrpn_nano.pth"


@pytest.mark.slow
def test_both_chains_give_the_same_boxes_and_have_a_time(tmp_path, capsys):
    from export.write import write
    from networks.checkpoint import load

    write(load("siamrpn_nano", WEIGHTS), "siamrpn_nano", tmp_path / "onnx", checkpoint=None, command="")
    build(tmp_path / "onnx", tmp_path / "engines", "onnxruntime", GraphPrecisions.parse("fp32"), "")
    write_video(tmp_path / "videos" / "clip", 12)
    words = ["--checkpoint", WEIGHTS, "--engines", tmp_path / "engines", "--sequences", tmp_path / "videos"]
    main(_arguments().parse_args([str(word) for word in (*words, "--out", tmp_path / "out")]))
    found = json.loads((tmp_path / "out" / "pytorch_chain.json").read_text())
    assert found["measures"][PYTORCH]["accuracy"] == pytest.approx(found["measures"][ENGINES]["accuracy"], abs=1e-3)
    assert found["ratio"] > 0
    assert f"{PYTORCH} / {ENGINES}:" in capsys.readouterr().out
