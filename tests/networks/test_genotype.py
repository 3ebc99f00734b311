from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import networks
from networks.genotype import EMPTY, OPERATIONS, PUBLISHED, Edge, Genotype, parse, read, softmax, sources, strongest
from siamtrt import ArtifactError, UsageError

TEXT = "cell:avg3@0,sep5@1|skip@1,sep3@2|skip@1,dil5@0|skip@1,skip@4"
COLUMN = {name: column for column, name in enumerate(OPERATIONS)}


def test_strings_and_files_give_the_cell_back(tmp_path):
    assert str(PUBLISHED) == TEXT
    for genotype in (PUBLISHED, EMPTY, Genotype(PUBLISHED.nodes, channels=32)):
        assert parse(str(genotype)) == genotype
        genotype.save(tmp_path / "genotype.json")
        assert read(str(tmp_path / "genotype.json")) == genotype
    assert str(Genotype(PUBLISHED.nodes, channels=32)) == TEXT.replace("cell:", "cell32:")


def test_the_published_cell_is_a_file():
    path = Path(networks.__file__).parent / "published" / "chase.json"
    assert Genotype.load(path) == PUBLISHED
    assert json.loads(path.read_text())["concat"] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("avg3@0,sep5@1", "not a cell"),
        ("cell:avg3@0,sep7@1", "node 2: unknown operation 'sep7'"),
        ("cell:avg3@0,sep5@2", "node 2: its source 2 is no earlier map"),
        ("cell:avg3@0,sep5@1,skip@0", "node 2 has 3 edges, expected 2"),
        ("cell:avg3@0,sep5@1|skip@1", "node 3 has 1 edges, expected 2"),
        ("cell:avg3@0,sep5", "the edge 'sep5' is no operation@source"),
        ("cell:avg3@0,sep5@0", "node 2 takes its source 0 twice"),
        ("cell:none@0,none@1", "node 2 has no operation"),
        ("cell0:avg3@0,sep5@1", "0 channels"),
    ],
)
def test_a_string_that_means_no_cell_is_refused_in_one_sentence(text, complaint):
    with pytest.raises(UsageError, match=complaint) as refused:
        parse(text)
    assert "\n" not in refused.value.problem


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"edges": [["sep_conv_7x7", 0], ["skip_connect", 1]]}, "unknown operation 'sep_conv_7x7'"),
        ({"edges": [["skip_connect", 0], ["skip_connect", 2]]}, "its source 2 is no earlier map"),
        ({"edges": [["skip_connect", 0]]}, "1 edges for 1 nodes"),
        ({"concat": [0, 2]}, r"concat is \[0, 2\], expected \[2\]"),
        ({"channels": 0}, "0 channels"),
        ({"edges": [["skip_connect"], ["skip_connect", 1]]}, "not enough values"),
        ({"name": "mine"}, "unknown field 'name'"),
        ({"schema": 2}, "of schema 2"),
        ({"kind": "front"}, "it is 'front'"),
    ],
)
def test_a_file_that_means_no_cell_is_refused_in_one_sentence(tmp_path, changes, complaint):
    whole = {"schema": 1, "kind": "cell", "nodes": 1, "concat": [2], "channels": 8}
    whole["edges"] = [["skip_connect", 0], ["sep_conv_3x3", 1]]
    path = tmp_path / "genotype.json"
    path.write_text(json.dumps(whole))
    assert Genotype.load(path) == parse("cell8:skip@0,sep3@1")
    path.write_text(json.dumps({**whole, **changes}))
    with pytest.raises(ArtifactError, match=complaint) as refused:
        Genotype.load(path)
    assert "\n" not in refused.value.problem


def numbers(**given):
    """The numbers of a cell with one node of its own kind: 14 edges, ``{EDGE: {operation: value}}``."""
    alpha = np.zeros((len(sources()), len(OPERATIONS)))
    for edge, values in given.items():
        for name, value in values.items():
            alpha[int(edge[1:]), COLUMN[name]] = value
    return alpha


def test_there_are_fourteen_edges_in_the_order_of_their_nodes():
    assert sources() == (
        *((0, 2), (1, 2)),
        *((0, 3), (1, 3), (2, 3)),
        *((0, 4), (1, 4), (2, 4), (3, 4)),
        *((0, 5), (1, 5), (2, 5), (3, 5), (4, 5)),
    )


def test_the_two_edges_with_the_largest_share_of_an_operation_make_a_node():
    alpha = numbers(e3={"dil3": 3}, e4={"sep5": 2, "none": 9}, e2={"skip": 1})
    # edge 4 means none for the most part: its best operation has a small share
    assert strongest(alpha).nodes[1] == (Edge("dil3", 1), Edge("skip", 0))


def test_of_equals_the_lower_edge_and_the_lower_operation_win():
    assert strongest(numbers()).nodes == (
        (Edge("max3", 0), Edge("max3", 1)),
        (Edge("max3", 0), Edge("max3", 1)),
        (Edge("max3", 0), Edge("max3", 1)),
        (Edge("max3", 0), Edge("max3", 1)),
    )


def test_none_can_take_an_edge_only_where_it_is_asked_for():
    alpha = numbers(e0={"none": 8.5, "sep3": 8}, e1={"skip": 1})
    assert strongest(alpha).nodes[0] == (Edge("sep3", 0), Edge("skip", 1))
    for edge in range(2, 14):
        alpha[edge, COLUMN["avg3"]] = 1
    assert strongest(alpha, include_none=True).nodes[0] == (Edge("none", 0), Edge("skip", 1))
    alpha[1, COLUMN["none"]] = 9
    with pytest.raises(ValueError, match="node 2 has no operation"):
        strongest(alpha, include_none=True)


def test_shares_of_an_edge_sum_to_one_however_large_its_numbers():
    assert softmax(np.array([[1000.0, 1000.0], [0.0, np.log(3)]])).tolist() == [[0.5, 0.5], pytest.approx([0.25, 0.75])]
