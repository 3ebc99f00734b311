"""The thesis' calibration is wrong in the three ways it was, and says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calibration.__main__ import arguments
from calibration.crops import Crops
from siamtrt import ModelCard, cli
from studies.thesis_calibration import Thesis, main
from tests.videos import write_video


@pytest.fixture
def command(tiny_onnx, tmp_path):
    write_video(tmp_path / "frames" / "walk", 6)
    words = ["--onnx", str(tiny_onnx), "--frames", str(tmp_path / "frames"), "--crops", "6", "--method", "minmax"]
    return [*words, "--threads", "1", "--out"]


def ranges(folder):
    return json.loads((folder / "xcorr.ranges.json").read_text())["tensors"]


def test_it_gives_other_ranges_of_xcorr_and_says_so(command, tmp_path, capsys):
    from calibration.__main__ import main as calibrate

    parser = arguments("studies.thesis_calibration", "")
    assert cli.run(calibrate, parser, [*command, str(tmp_path / "right")]) == 0
    assert cli.run(main, parser, [*command, str(tmp_path / "wrong")]) == 0
    assert "fit for nothing else" in capsys.readouterr().err
    method = json.loads((tmp_path / "wrong" / "manifest.json").read_text())["settings"]["method"]
    assert method.endswith("shown by studies.thesis_calibration")
    wrong, right = ranges(tmp_path / "wrong"), ranges(tmp_path / "right")
    assert not 0.5 < wrong["correlation_cls"]["amax"] / right["correlation_cls"]["amax"] < 2
    assert wrong["correlation_cls"]["low"] < 0 <= right["correlation_cls"]["low"]


def test_it_never_takes_the_place_of_a_calibration(command, tmp_path, capsys):
    (tmp_path / "manifest.json").write_text("{}")
    assert cli.run(main, arguments("studies.thesis_calibration", ""), [*command, str(tmp_path)]) == 2
    assert "choose another --out" in capsys.readouterr().err


def test_each_of_the_defects_is_there(tiny_onnx):
    shown = {"target": [], "search": [], "xcorr": []}

    class Watched:
        def __init__(self, graph):
            self.graph = graph

        def observe(self, feed):
            shown[self.graph].append(feed)
            first = float(next(iter(feed.values())).flat[0])
            if self.graph == "target":
                return {"kernel_cls": np.ones((8, 1, 5, 5), np.float32)}
            return {name: np.full((1, 2, 3, 3), first, np.float32) for name in ("feature_cls", "feature_loc")}

    observers = {graph: Watched(graph) for graph in shown}
    thesis = Thesis(seed=0)
    for value in range(6):
        patch = np.zeros((4, 4, 3), np.uint8)
        patch[...] = (10 + value, 0, 200 + value)
        thesis.show(observers, Crops(patch, {"search": patch}), ModelCard.load(tiny_onnx))
    blue_green_red = [crop["search"][0, :, 0, 0].tolist() for crop in shown["search"]]
    assert blue_green_red == [[200.0 + value, 0.0, 10.0 + value] for value in range(6)]
    assert not np.array_equal(shown["xcorr"][0]["kernel_cls"], np.ones((8, 1, 5, 5)))
    from_frame = [float(feed["feature_cls"].flat[0]) for feed in shown["xcorr"]]
    assert any(first != 200.0 + value for value, first in enumerate(from_frame))
