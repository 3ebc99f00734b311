from __future__ import annotations

import json
from dataclasses import replace

import pytest

from siamtrt import ArtifactError, GraphCard, ModelCard, TensorSpec
from siamtrt.card import LostSearch, TrackerConstants

CARD = ModelCard(
    name="siamrpn_r50_lt",
    family="rpn",
    template_px=127,
    search_px=255,
    stride=8,
    score_size=25,
    anchor_ratios=(0.33, 0.5, 1.0, 2.0, 3.0),
    anchor_scales=(8.0,),
    tracker=TrackerConstants(penalty_k=0.05, window_influence=0.26, lr=0.3, source="pysot r50_lt"),
    lost=LostSearch(831, 97, 0.001, 0.85, 0.998),
    kernels=(TensorSpec("kernel_cls2", (256, 1, 5, 5)),),
    graphs=(
        GraphCard("search", (TensorSpec("search", (1, 3, 255, 255)),), (TensorSpec("feature_cls2", (1, 256, 29, 29)),)),
    ),
    checkpoint_sha256="0" * 64,
    parity={"search": 1e-6},
)


def test_a_card_survives_the_file(tmp_path):
    CARD.save(tmp_path)
    assert ModelCard.load(tmp_path) == CARD
    short_term = replace(CARD, lost=None)
    short_term.save(tmp_path)
    assert ModelCard.load(tmp_path) == short_term


def test_anchors_and_graphs_are_found_by_name():
    assert CARD.anchors_per_cell == 5
    assert replace(CARD, family="ban", anchor_ratios=(), anchor_scales=()).anchors_per_cell == 1
    assert CARD.graph("search").outputs[0].name == "feature_cls2"
    with pytest.raises(ArtifactError, match="no graph 'xcorr': search"):
        CARD.graph("xcorr")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 99}, "schema 99"),
        ({"family": "transformer"}, "unknown family"),
        ({"tracker": {"penalty_k": 1}}, "not a model card"),
        ({"surprise": 1}, "not a model card"),
    ],
)
def test_a_foreign_card_is_refused(tmp_path, change, complaint):
    path = CARD.save(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError, match=complaint):
        ModelCard.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe\x00"])
def test_a_damaged_card_is_refused(tmp_path, content):
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(ArtifactError):
        ModelCard.load(tmp_path)
    with pytest.raises(ArtifactError, match="no such file"):
        ModelCard.load(tmp_path / "nowhere")


@pytest.mark.parametrize(("field", "value"), [("colour", "RGB"), ("value_range", [0.0, 1.0])])
def test_a_model_that_wants_other_crops_than_the_runtimes_is_refused(tmp_path, field, value):
    path = CARD.save(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(ArtifactError, match=r"BGR in 0\.\.255"):
        ModelCard.load(tmp_path)
