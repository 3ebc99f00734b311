from __future__ import annotations

from types import SimpleNamespace

import pytest

from architectures.cost import deployed_macs
from architectures.latency import LatencyTable
from studies.latency_order import compare, draw


def test_networks_differ_and_their_seed_says_which():
    drawn = draw(3, 12)
    assert len({str(one) for one in drawn}) == 12
    assert drawn == draw(3, 12)
    assert drawn != draw(4, 12)


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
