from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from runtime.open_engines import open_locators
from runtime.tracker import Tracker
from siamtrt import ArtifactError, GraphPrecisions, ModelCard, UsageError
from siamtrt.files import sha256
from tests import tiny
from tests.built import build
from tests.doubles.clip import as_rows, clip, follow, picture


@pytest.fixture
def copied(tmp_path, tiny_engines):
    shutil.copytree(tiny_engines, tmp_path / "copied")
    return tmp_path / "copied"


def as_of_schema_1(folder):
    """Rewrite the model card as it was written before searches had stages."""
    path = folder / "model.json"
    card = ModelCard.load(folder)
    sizes = {"search_px": card.search.search_px, "score_size": card.search.score_size}
    old = {**json.loads(path.read_text()), **sizes, "schema": 1, "lost": None}
    del old["searches"]
    if card.lost_search:
        lost, rule = card.lost_search, card.lost_search.lost
        old["lost"] = {key: getattr(lost, key) for key in ("search_px", "score_size", "window_influence")}
        old["lost"].update(confidence_low=rule.below, confidence_high=rule.found_above)
    for graph in old["graphs"]:
        for field in ("role", "macs", "parameters"):
            del graph[field]
    path.write_text(json.dumps(old))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.json"] = sha256(path)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
@pytest.mark.parametrize("lost", [False, True], ids=["short-term", "long-term"])
def test_engines_with_a_card_of_the_first_schema_give_the_same_boxes(board, tmp_path, backend, lost):
    onnx, out = tmp_path / "onnx", tmp_path / "engines"
    tiny.write_tiny_model(onnx, lost=lost)
    board(onnx=onnx)
    build(onnx, out, backend, GraphPrecisions.parse("fp32"), "make engines")
    boxes = []
    for write in (lambda folder: None, as_of_schema_1):
        write(out)
        (locator,) = open_locators(out)
        boxes.append(as_rows(follow(locator, clip(picture(), 12))))
    assert json.loads((out / "model.json").read_text())["schema"] == 1
    np.testing.assert_array_equal(*boxes)


def test_a_folder_that_is_no_engine_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="not a finished engines folder"):
        Tracker.open(tmp_path)


def test_a_truncated_engine_is_refused_by_its_manifest(copied):
    path = copied / "search.onnx"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match="not the file its manifest describes\n  try: make engines"):
        Tracker.open(copied)


def test_an_unknown_backend_is_refused(copied):
    manifest = copied / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"onnxruntime"', '"abacus"', 1))
    with pytest.raises(ArtifactError, match="backend 'abacus'"):
        Tracker.open(copied)


def test_an_unknown_place_to_decode_is_refused(tiny_engines):
    with pytest.raises(UsageError, match="unknown place to decode 'elsewhere'"):
        open_locators(tiny_engines, decode="elsewhere")
    with pytest.raises(UsageError, match="decodes on the host"):
        open_locators(tiny_engines, decode="device")


def test_each_target_has_a_locator(tiny_engines):
    assert len(open_locators(tiny_engines, 3, threads=1)) == 3
