"""A long run says what grew and what slowed down."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="studies need requirements/workstation.txt")

from sequences.rendered.command import write_clip
from siamtrt import cli
from studies.faults import soak


def test_every_part_is_kept_and_growth_is_seen(tiny_engines, tmp_path, capsys):
    write_clip(tmp_path / "clip", 1, 6)
    words = ["--engines", tiny_engines, "--clip", tmp_path / "clip", "--frames", 150, "--out", tmp_path / "soak.json"]
    assert cli.run(soak.main, soak._arguments(), [*map(str, words), "--quiet"]) == 0
    document = json.loads((tmp_path / "soak.json").read_text())["entries"]["soak"]
    assert [part["frames"] for part in document["parts"]] == [3 * number for number in range(1, 51)]
    assert document["descriptors_growth"] == 0
    assert capsys.readouterr().out.startswith("150 frames: memory ")
    leaking = [soak.Part(number, 100.0 + number, 9 + number, 4, 2.0, 1.0 + (number > 20)) for number in range(50)]
    drift = soak._drift(leaking)
    assert (drift["memory_growth_mib"], drift["descriptors_growth"], drift["processor_ratio"]) == (35.0, 44, 2.0)


def test_a_short_run_is_refused(tiny_engines, tmp_path, capsys):
    words = ["--engines", tiny_engines, "--clip", tmp_path, "--frames", 49]
    assert cli.run(soak.main, soak._arguments(), [*map(str, words)]) == 2
