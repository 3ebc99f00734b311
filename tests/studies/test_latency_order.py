from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from architectures.cost import deployed_macs
from architectures.latency import LatencyTable, carriers
from siamtrt import ArtifactError, claim
from studies.latency_order import _arguments, compare, draw, main, spread


def test_networks_differ_and_their_seed_says_which():
    drawn = draw(3, 12)
    assert len({str(one) for one in drawn}) == 12
    assert drawn == draw(3, 12)
    assert drawn != draw(4, 12)


@pytest.mark.parametrize("count", [1, 6, 12, 13])
def test_carriers_are_profiled_among_the_networks_and_not_before_or_after_them(count):
    carrying, drawn = (
        [Path(f"{name}_{n}") for n in range(many)] for name, many in (("carrier", 6), ("network", count))
    )
    order = spread(carrying, drawn)
    for side, size in ((carrying, 6), (drawn, count)):
        assert [place for place in order if place in side] == side
        middle = sum(map(order.index, side)) / size
        assert middle == pytest.approx((len(order) - 1) / 2, abs=0.5)
    gaps = [b - a for a, b in itertools.pairwise(map(order.index, carrying))]
    assert max(gaps) <= -(-count // 6) + 1


def test_reports_of_another_number_of_runs_are_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("studies.latency_order.make", lambda artifact, words: None)
    words = ["--networks", "2", "--out", str(tmp_path)]
    for architecture, name in zip(carriers(), range(6), strict=True):
        claimed = {"architecture": str(architecture), "runs": 100}
        claim.take(tmp_path / f"carrier_{name}" / "claim.json", claimed)
    with pytest.raises(ArtifactError, match="runs differ"):
        main(_arguments().parse_args([*words, "--runs", "50"]))


def test_the_two_orders_are_of_search_and_xcorr_alone(monkeypatch):
    drawn = draw(0, 3)
    predicted = dict(zip(drawn, (10.0, 12.0, 11.0), strict=True))
    monkeypatch.setattr(LatencyTable, "predict", lambda table, architecture: predicted[architecture])
    reports = {one: report(ms) for one, ms in zip(drawn, (9.0, 14.0, 10.0), strict=True)}
    values = compare(LatencyTable({}, {}, "", {}), reports)
    assert [row["profiled_ms"] for row in values["networks"]] == pytest.approx([9.0, 14.0, 10.0])
    assert values["tau"] == 1.0
    assert values["networks"][1]["macs"] == deployed_macs(drawn[1])


def report(ms):
    layers = (("target", 99.0 - 3 * ms), ("search", 0.75 * ms), ("xcorr", 0.25 * ms))
    return SimpleNamespace(layers=[SimpleNamespace(graph=graph, ms_p50=part) for graph, part in layers])
