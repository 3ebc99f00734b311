from __future__ import annotations

import pytest

from siamtrt import GraphCard, GraphPrecisions, Precision, UsageError
from siamtrt.card import ROLES


def test_one_word_names_all_three_graphs():
    assert GraphPrecisions.parse("fp16") == GraphPrecisions(dict.fromkeys(ROLES, Precision.FP16))
    assert GraphPrecisions.parse("int8-all").label == "int8-all"


def test_int8_alone_keeps_the_target_graph_in_fp16():
    assert GraphPrecisions.parse("int8") == GraphPrecisions.parse("target=fp16,search=int8,xcorr=int8")
    assert GraphPrecisions.parse("int8").label == "int8"
    assert GraphPrecisions.parse("target=int8,search=int8,xcorr=int8").label == "int8+int8+int8"
    assert GraphPrecisions.parse("int8-all").int8_roles == list(ROLES)


def test_graphs_are_named_in_any_order():
    mixed = GraphPrecisions.parse("xcorr=fp16,target=fp32,search=int8")
    assert mixed == GraphPrecisions({"target": Precision.FP32, "search": Precision.INT8, "xcorr": Precision.FP16})
    assert mixed.label == "fp32+int8+fp16"
    assert GraphPrecisions.parse(str(mixed)) == mixed


def test_the_lost_search_follows_its_sibling():
    mixed = GraphPrecisions.parse("target=fp32,search=int8,xcorr=fp16")
    assert mixed.of(GraphCard("search_lost", (), (), "search")) is Precision.INT8
    assert mixed.of(GraphCard("xcorr_lost", (), (), "xcorr")) is Precision.FP16
    assert mixed.int8_roles == ["search"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fp8", "unknown precision 'fp8'"),
        ("", "unknown precision ''"),
        ("target=fp16", "leaves out search, xcorr"),
        ("target=fp16,search=fp16,xcorr=half", "unknown precision 'half'"),
        ("target=fp16,target=fp32,xcorr=fp16", "name each of target, search, xcorr once"),
        ("head=fp16,search=fp16,xcorr=fp16", "name each of"),
    ],
)
def test_what_is_no_precision_is_refused_by_name(text, complaint):
    with pytest.raises(UsageError, match=complaint):
        GraphPrecisions.parse(text)


def test_both_forms_of_int8_take_ranges():
    assert [precision for precision in Precision if precision.is_int8] == [Precision.INT8, Precision.INT8_ALL]
