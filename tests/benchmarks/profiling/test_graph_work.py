from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.profiling.graph_work import frame_work, title, work_of
from siamtrt import ModelCard

COUNTS = {"target": (3_000_000, 9_000_000), "search": (3_100_000, 80_000_000), "xcorr": (500_000, 1_500_000)}


@pytest.fixture
def counted(tiny_onnx):
    """Gives the card of the tiny model with the counts of a larger one; None stands for an old card's."""
    card = ModelCard.load(tiny_onnx)

    def make(**changes):
        counts = {**COUNTS, **changes}
        graphs = [replace(graph, parameters=counts[graph.name][0], macs=counts[graph.name][1]) for graph in card.graphs]
        return replace(card, graphs=tuple(graphs))

    return make


def test_models_of_one_name_are_told_apart_by_the_work_of_a_frame(counted):
    assert title(counted(), "tensorrt", "int8") == "tiny tensorrt int8, 3.60 M parameters, 82 MMAC"
    pruned = counted(search=(1_000_000, 30_000_000))
    assert title(pruned, "tensorrt", "int8") == "tiny tensorrt int8, 1.50 M parameters, 32 MMAC"


def test_a_card_without_counts_has_its_old_title(counted):
    assert title(counted(xcorr=(1, None)), "tensorrt", "int8") == "tiny tensorrt int8"
    assert title(counted(xcorr=(None, 1)), "tensorrt", "int8") == "tiny tensorrt int8"
    assert frame_work(work_of(counted(search=(None, None)))).macs is None


def test_a_frame_does_not_run_the_target_graph(counted):
    work = work_of(counted())
    assert [name for name, graph in work.items() if graph.each_frame] == ["search", "xcorr"]
    assert frame_work(work).parameters == 3_600_000
