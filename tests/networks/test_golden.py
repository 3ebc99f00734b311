"""Our networks against PySOT's own, or a record of ours, on weights that are a rule: PROVENANCE.md beside the maps."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from networks.models import build, spec

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = {
    **json.loads((FOLDER / "pysot_networks" / "maps.json").read_text()),
    **json.loads((FOLDER / "nanotrack_network" / "maps.json").read_text()),
}
TOLERANCE = 1e-4  # of the map's standard deviation
CROPS = ("template", "search")


def uniform(key, shape):
    """Numbers from -0.5 to 0.5 that follow from *key* alone."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    values = np.random.Generator(np.random.PCG64(seed)).random(int(np.prod(shape))) - 0.5
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def ruled_weights(network):
    """The weights that PySOT's networks had: a rule of the key and the shape."""
    norms = {name for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    state = {}
    for key, value in network.state_dict().items():
        module, _, kind = key.rpartition(".")
        drawn = uniform(key, value.shape)
        if kind == "num_batches_tracked":
            continue
        if module in norms:
            state[key] = {"weight": 1 + 0.2 * drawn, "running_var": 1 + 0.5 * drawn}.get(kind, 0.2 * drawn)
        elif value.dim() == 4:
            state[key] = drawn * float(np.sqrt(12 / np.prod(value.shape[1:])))
        else:
            state[key] = drawn
    return state


def image(name, side_px):
    return (uniform(name, (1, 3, side_px, side_px)) + 0.5) * 255


def maps(name):
    """What a network with the weights and crops of the rule puts out."""
    with torch.device("meta"):  # no time is spent on weights that are replaced
        network = build(name).eval()
    network.load_state_dict(ruled_weights(network), strict=False, assign=True)
    with torch.inference_mode():
        return dict(zip(("cls", "loc"), network(*(image(crop, getattr(spec(name), f"{crop}_px")) for crop in CROPS))))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_maps_are_those_on_record(name):
    wanted = GOLDEN[name]
    assert wanted["search_px"] == spec(name).search_px
    for kind, values in maps(name).items():
        golden = wanted[kind]
        assert list(values.shape) == golden["shape"]
        picked = values.flatten()[golden["index"]].numpy()
        np.testing.assert_allclose(picked, golden["value"], rtol=0, atol=TOLERANCE * golden["std"])
        assert float(values.mean()) == pytest.approx(golden["mean"], abs=TOLERANCE * golden["std"])
        assert float(values.std(correction=0)) == pytest.approx(golden["std"], rel=1e-3)
