"""The card of the shipped model repeats what its files hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from siamtrt.files import sha256
from studies.tracked import gains, shown

ROOT = Path(__file__).parents[2]
CARD = (ROOT / "weights" / "siamrpn_nano.md").read_text(encoding="utf-8")
MEASURED = ROOT / "docs" / "measured"
SHIPPED = "**siamrpn_nano**"
JUDGED = {
    "LightTrack-Mobile, its authors' weights": "published/lighttrack_mobile",
    "NanoTrackV3, its authors' weights": "published/nanotrack_v3",
    SHIPPED: "four_stages/siamrpn_nano",
    "three stages (153,000 pairs)": "three_stages/siamrpn_nano",
    "two stages (102,000 pairs)": "two_stages/siamrpn_nano",
    "the first stage alone (31,800 pairs)": "one_stage/siamrpn_nano",
    "siamrpn_lite0": "before/siamrpn_lite0",
}


def judged(name):
    models = json.loads((MEASURED / "judged_siamrpn_nano.json").read_text())["models"]
    return models[f"{JUDGED[name]}/onnxruntime-fp32"]


def successes(model):
    return {
        "videos": {group: {n: r["success_auc"] for n, r in rows.items()} for group, rows in model["videos"].items()}
    }


@pytest.mark.parametrize("name", JUDGED)
def test_the_card_says_how_each_tracker_was_judged(name):
    model = judged(name)
    assert [len(rows) for rows in model["videos"].values()] == [4, 3, 20]
    cells = [f"{model['worth']:.3f}"]
    cells += [f"{group['success_auc']:.3f} ({group['losses']})" for group in model["groups"].values()]
    beside = "" if name == SHIPPED else shown(gains([successes(model)], [successes(judged(SHIPPED))]))
    assert f"| {' | '.join([name, *cells, beside])}".rstrip() in CARD


def test_the_shipped_file_is_the_one_that_was_judged_and_whose_sizes_were_measured():
    sizes = json.loads((MEASURED / "size_error_siamrpn_nano.json").read_text())
    shipped = sha256(ROOT / "weights" / "siamrpn_nano.pth")
    assert judged(SHIPPED)["checkpoint_sha256"] == sizes["checkpoint"]["sha256"] == shipped


def test_the_variant_and_the_exits_were_made_of_the_shipped_file():
    shipped = sha256(ROOT / "weights" / "siamrpn_nano.pth")
    record = json.loads((ROOT / "weights" / "siamrpn_nano-m62.json").read_text())
    assert record["parent_sha256"] == shipped
    assert record["sha256"] == sha256(ROOT / "weights" / "siamrpn_nano-m62.pth")
    assert shipped in (ROOT / "weights" / "siamrpn_nano-exits.md").read_text(encoding="utf-8")


def test_the_card_says_how_much_of_a_wrong_size_comes_back():
    rows = json.loads((MEASURED / "size_error_siamrpn_nano.json").read_text())["rows"]
    wrong = {factor: f"{100 * (np.median(rows[factor]) - 1):.1f} %" for factor in ("1.18", "1.3")}
    assert f"cut 18 % too large comes back {wrong['1.18']} too large, one cut 30 % too large {wrong['1.3']}" in CARD
