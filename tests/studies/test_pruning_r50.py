from __future__ import annotations

import pytest

from networks.models import build
from studies.pruning_r50 import MODEL, WIDTHS, width_of
from training.pruning.groups import find_groups
from training.pruning.work import layers_of, narrowed, search_macs, weight_count

# Parameters of the trunk and of all, and multiply-accumulates of the search graph, that the widths were chosen for.
SIZES = {"whole": (45.53, 53.95, 48.44), "30M": (29.47, 37.72, 32.73), "22.5M": (22.34, 30.49, 25.44)}
SIZES["12M"] = (12.03, 20.01, 15.30)


@pytest.mark.slow
def test_the_sizes_of_the_thesis_are_reached_to_a_hundredth_of_a_million():
    network = build(MODEL).eval()
    groups, (layers, widths) = find_groups(network, MODEL), layers_of(network, MODEL)
    trunk = tuple(layer for layer in layers if layer.name.startswith("backbone."))
    for name, (of_trunk, of_all, gmacs) in SIZES.items():
        smaller = widths
        for group in groups:
            smaller = narrowed(smaller, group, group.width - width_of(group, *WIDTHS[name]))
        assert weight_count(trunk, smaller) / 1e6 == pytest.approx(of_trunk, abs=0.005)
        assert weight_count(layers, smaller) / 1e6 == pytest.approx(of_all, abs=0.005)
        assert search_macs(layers, smaller) / 1e9 == pytest.approx(gmacs, abs=0.005)
