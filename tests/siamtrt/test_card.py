from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from siamtrt import ArtifactError, GraphCard, ModelCard, TensorSpec
from siamtrt.card import LostRule, SearchCard, StageCard, TrackerConstants

KERNEL = TensorSpec("kernel_cls2", (256, 1, 5, 5))


def graphs_of(suffix, crop, side, score_size):
    feature = TensorSpec("feature_cls2", (1, 256, side, side))
    maps = tuple(TensorSpec(name, (1, width, score_size, score_size)) for name, width in (("cls", 10), ("loc", 20)))
    return (
        GraphCard(f"search{suffix}", (TensorSpec("search", (1, 3, crop, crop)),), (feature,), "search"),
        GraphCard(f"xcorr{suffix}", (feature,), maps, "xcorr"),
    )


CARD = ModelCard(
    name="siamrpn_r50_lt",
    family="rpn",
    template_px=127,
    stride=8,
    anchor_ratios=(0.33, 0.5, 1.0, 2.0, 3.0),
    anchor_scales=(8.0,),
    tracker=TrackerConstants(penalty_k=0.05, window_influence=0.26, lr=0.3, source="pysot r50_lt"),
    searches=(
        SearchCard(255, 25, 0.26, (StageCard("search", "xcorr", ("kernel_cls2",)),)),
        SearchCard(831, 97, 0.001, (StageCard("search_lost", "xcorr_lost", ("kernel_cls2",)),), LostRule(0.85, 0.998)),
    ),
    kernels=(KERNEL,),
    graphs=(
        GraphCard("target", (TensorSpec("template", (1, 3, 127, 127)),), (KERNEL,), "target", macs=7, parameters=5),
        *graphs_of("", 255, 29, 25),
        *graphs_of("_lost", 831, 101, 97),
    ),
    checkpoint_sha256="0" * 64,
    parity={"search": 1e-6},
)


def test_a_card_survives_the_file(tmp_path):
    CARD.save(tmp_path)
    assert ModelCard.load(tmp_path) == CARD
    short_term = replace(CARD, searches=CARD.searches[:1], graphs=CARD.graphs[:3])
    short_term.save(tmp_path)
    assert ModelCard.load(tmp_path) == short_term


def test_anchors_and_graphs_are_found_by_name():
    assert CARD.anchors_per_cell == 5
    assert replace(CARD, family="ban", anchor_ratios=(), anchor_scales=()).anchors_per_cell == 1
    assert CARD.graph("search").outputs[0].name == "feature_cls2"
    with pytest.raises(ArtifactError, match="no graph 'neck': target, search, xcorr, search_lost"):
        CARD.graph("neck")


def test_the_card_says_what_runs():
    assert CARD.target.name == "target"
    assert (CARD.search.search_px, CARD.search.graphs) == (255, ("search", "xcorr"))
    assert CARD.lost_search.graphs == ("search_lost", "xcorr_lost")
    assert CARD.refitted("xcorr_lost") == ("kernel_cls2",)
    assert CARD.refitted("search") == ()
    assert replace(CARD, kernel_inputs=True).refitted("xcorr") == ()
    crops = [CARD.crop_of(graph.name) for graph in CARD.graphs]
    assert crops == ["template", "search", None, "search_lost", None]


def test_a_card_of_the_first_schema_is_read(tmp_path):
    card = replace(CARD, graphs=tuple(replace(graph, macs=None, parameters=None) for graph in CARD.graphs))
    path = card.save(tmp_path)
    old = {**json.loads(path.read_text()), "schema": 1, "search_px": 255, "score_size": 25}
    del old["searches"]
    scores = {"confidence_low": 0.85, "confidence_high": 0.998}
    old["lost"] = {"search_px": 831, "score_size": 97, "window_influence": 0.001, **scores}
    for graph in old["graphs"]:
        for field in ("role", "macs", "parameters"):
            del graph[field]
    path.write_text(json.dumps(old))
    assert ModelCard.load(tmp_path) == card
    path.write_text(json.dumps({**old, "lost": None, "graphs": old["graphs"][:3]}))
    assert ModelCard.load(tmp_path) == replace(card, searches=card.searches[:1], graphs=card.graphs[:3])
    path.write_text(json.dumps({**old, "lost": 7}))
    with pytest.raises(ArtifactError, match="not a model card"):
        ModelCard.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 99}, "of schema 99"),
        ({"family": "transformer"}, "unknown family"),
        ({"tracker": {"penalty_k": 1}}, "not a model card"),
        ({"surprise": 1}, "not a model card"),
        ({"searches": []}, "no target and search"),
        ({"graphs": []}, "names search, search_lost"),
        ({"kernels": []}, "names kernel_cls2"),
        ({"stride": None}, "stride is None"),
        ({"stride": 10**30}, "stride is 10+, not a finite number"),
        ({"stride": 0}, "the sizes of strides or anchors are not those of a tracker"),
        ({"anchor_scales": [float("nan")]}, "anchor_scales is nan, not a finite number"),
        ({"anchor_ratios": [1.0, -3.0]}, "the sizes of cls, loc"),
        ({"template_px": 128}, "the sizes of target are not"),
        ({"searches": [{**asdict(CARD.searches[0]), "search_px": 287}]}, "the sizes of search are not"),
        ({"searches": [{**asdict(CARD.searches[0]), "score_size": 21}]}, "the sizes of cls, loc are not"),
        ({"searches": [{**asdict(CARD.searches[0]), "stages": []}]}, "has no target and search"),
        ({"searches": [{"search_px": True}]}, "not a model card"),
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
