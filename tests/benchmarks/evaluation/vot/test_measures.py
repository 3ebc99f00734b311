from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.vot.annotations import load, polygon
from benchmarks.evaluation.vot.measures import Measures, measure, table
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import read, result_path
from siamtrt import ArtifactError, UsageError, cli

VOT2018 = Protocol.load("vot2018")


def write_case(folder, runs, *, left=80):
    """Runs are (frames, failures, shift): a 40x40 box at *left* in 200x200, predicted with a constant shift in x."""
    annotations = {}
    for number, (frames, failures, shift) in enumerate(runs):
        name = f"s{number}"
        annotations[name] = {"gt_rect": [[left, 80, 40, 40]] * frames, "width": 200, "height": 200}
        lines, start = [], 0
        for index in range(frames):
            if index == start:
                lines.append("1")
            elif index < start:
                lines.append("0")
            elif index in failures:
                lines.append("2")
                start = index + 5
            else:
                lines.append(f"{left + shift:.4f},80.0000,40.0000,40.0000")
        path = result_path(folder / "results", "T", name)
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(lines) + "\n")
    (folder / "annotations.json").write_text(json.dumps(annotations))
    return measure("T", folder / "results", load(folder / "annotations.json", VOT2018.tags), VOT2018)


# runs, accuracy, robustness, failures, EAO: PySOT's own output
GOLDEN = [
    ([(400, [], 0)], 1, 0, 0, 1.0),
    ([(400, [], 8)], 0.673469, 0, 0, 0.673469),
    ([(400, [200], 0)], 1, 0.25, 1, 0.840328),
    ([(400, [50, 300], 0)], 1, 0.5, 2, 0.584088),
    ([(400, [1], 0)], 1, 0.25, 1, 0.5),
    ([(400, [100, 106], 0)], 1, 0.5, 2, 0.424643),
    ([(400, [399], 0)], 1, 0.25, 1, 1.0),
    ([(400, [395], 0)], 1, 0.25, 1, 1.0),
    ([(400, [396], 0)], 1, 0.25, 1, 1.0),
    ([(400, [], 0), (150, [], 8)], 0.913747, 0, 0, 0.967601),
    ([(400, [], 0), (150, [100], 8)], 0.920745, 0.181818, 1, 0.666485),
    ([(400, [], 0), (300, [295], 0)], 1, 0.142857, 1, 0.989015),
    ([(400, [], 0), (300, [296], 0)], 1, 0.142857, 1, 0.999935),
    ([(400, [], 0), (300, [294], 0)], 1, 0.142857, 1, 0.988624),
    ([(150, [], 8)], 0.673469, 0, 0, 0.673469),
]


@pytest.mark.parametrize(("runs", "accuracy", "robustness", "failures", "eao"), GOLDEN)
def test_golden_rows(tmp_path, runs, accuracy, robustness, failures, eao):
    found = write_case(tmp_path, runs)
    assert found.accuracy == pytest.approx(accuracy, abs=1e-6)
    assert found.robustness == pytest.approx(robustness, abs=1e-6)
    assert found.failures == failures
    assert found.eao["all"] == pytest.approx(eao, abs=1e-6)


def test_runs_that_are_too_short_have_no_eao(tmp_path):
    found = write_case(tmp_path, [(60, [], 0)])
    assert found.eao["all"] is None
    assert found.eao_interval_95 is None


@pytest.mark.parametrize("runs", [[(400, [200], 0)], [(400, [], 8), (60, [], 0), (50, [], 0)]])
def test_one_sequence_that_is_long_enough_makes_no_interval(tmp_path, runs, capsys):
    found = write_case(tmp_path, runs)
    assert found.eao["all"] is not None
    assert found.eao_interval_95 is None
    lines = table({"T": found}).splitlines()
    assert lines[1].split()[:3] == ["T", f"{found.eao['all']:.3f}", "-"]
    assert lines[-1] == "no interval, only one sequence has runs that are long enough: T"


def test_failures_are_whole_where_they_are_and_attributes_are_printed():
    one = Measures(0.5, 1.0, 35.0, {"all": 0.3, "occlusion": 0.1, "empty": None}, (0.2, 0.4), [1.0], {})
    two = Measures(0.5, 1.0, 2.0667, {"all": 0.2, "occlusion": None, "empty": None}, (0.1, 0.3), [1.0], {})
    head, first, second, tags, *rows = (line.split() for line in table({"a": one, "b": two}).splitlines())
    assert head[-2:] == ["failures", "robustness"]
    assert (first[-2], second[-2]) == ("35", "2.1")
    assert tags == ["EAO", "by", "attribute", "occlusion"]
    assert rows == [["a", "0.100"], ["b", "-"]]


def test_the_interval_encloses_the_figure_and_repeats(tmp_path):
    found = write_case(tmp_path / "a", [(400, [200], 0), (300, [], 8), (350, [10, 90], 4), (360, [], 0)])
    low, high = found.eao_interval_95
    assert low <= found.eao["all"] <= high
    assert low < high


def test_the_interval_is_of_95_percent(tmp_path):
    """Of three sequences one is worse. All three draws hit it in 1 of 27 cases, which is between 2.5 and 25 percent."""
    found = write_case(tmp_path, [(400, [], 0), (400, [], 0), (400, [], 8)])
    assert found.eao_interval_95 == pytest.approx((0.673469, 1.0), abs=1e-6)


def test_as_many_sequences_are_drawn_as_there_are(tmp_path):
    """Of eight sequences four are worse: of eight draws at least 1 and at most 7 hit those in 95 of 100 cases."""
    found = write_case(tmp_path, [(400, [], 0), (400, [], 8)] * 4)
    worst = 33 / 49
    assert found.eao_interval_95 == pytest.approx((worst + (1 - worst) / 8, worst + 7 * (1 - worst) / 8), abs=1e-6)


def test_at_the_border_accuracy_counts_one_more_column_than_eao(tmp_path):
    """Columns 160 to 200 and 168 to 200 of 41 and 33; without x = 200 40 and 32."""
    found = write_case(tmp_path, [(400, [], 8)], left=160)
    assert found.accuracy == pytest.approx(33 / 41, abs=1e-6)
    assert found.eao["all"] == pytest.approx(32 / 40, abs=1e-6)


def test_repetitions_of_one_sequence_weigh_as_one(tmp_path):
    write_case(tmp_path, [(400, [], 0), (400, [], 8)])
    (first,) = (tmp_path / "results").rglob("s0_001.txt")
    for number in range(2, 16):
        first.with_name(f"s0_{number:03d}.txt").write_text(first.read_text())
    found = measure("T", tmp_path / "results", load(tmp_path / "annotations.json", VOT2018.tags), VOT2018)
    assert found.eao["all"] == pytest.approx((1 + 33 / 49) / 2, abs=1e-6)


def test_repetitions_of_a_run_make_the_interval_no_narrower(tmp_path):
    once = write_case(tmp_path, [(400, [200], 0), (300, [], 8), (350, [10, 90], 4), (360, [], 0)])
    for first in (tmp_path / "results").rglob("*_001.txt"):
        for number in range(2, 16):
            first.with_name(first.name.replace("_001", f"_{number:03d}")).write_text(first.read_text())
    again = measure("T", tmp_path / "results", load(tmp_path / "annotations.json", VOT2018.tags), VOT2018)
    assert again.eao_interval_95 == pytest.approx(once.eao_interval_95, abs=1e-9)
    assert again.eao["all"] == pytest.approx(once.eao["all"], abs=1e-9)


@pytest.mark.parametrize("tracker", ["NanoTrackV3", "NanoTrackV1", "SiamAPN"])
def test_published_results_give_pysots_figures(reference_data, tracker):
    folder = reference_data / "vot2018"
    wanted = json.loads((folder / "reference.json").read_text())["vot2018"][tracker]
    truths = load(folder / "annotations.json", VOT2018.tags)
    found = measure(tracker, folder / "results", truths, VOT2018)
    assert found.accuracy == pytest.approx(wanted["accuracy"], abs=1e-6)
    assert found.robustness == pytest.approx(wanted["robustness"], abs=1e-6)
    assert found.failures == wanted["lost_number"]
    assert found.eao == pytest.approx(wanted["eao"], abs=1e-6)
    for name, row in wanted["per_video"].items():
        assert found.sequences[name].accuracy == pytest.approx(row["accuracy"], abs=1e-6)
        assert found.sequences[name].failures == row["lost"]


def test_the_command_writes_the_schema(tmp_path, capsys):
    write_case(tmp_path, [(400, [200], 0)])
    argv = ["--quiet", "evaluate", "--annotations", str(tmp_path / "annotations.json"), "--results"]
    argv += [str(tmp_path / "results"), "--out", str(tmp_path / "out.json")]
    assert cli.run_table("benchmarks", "", COMMANDS, argv) == 0
    assert "0.840" in capsys.readouterr().out
    entry = json.loads((tmp_path / "out.json").read_text())["trackers"]["T"]
    assert set(entry) == {"accuracy", "robustness", "failures", "eao", "eao_interval_95", "curve", "sequences"}
    assert set(entry["eao"]) == {"all", *VOT2018.tags, "empty"}
    assert entry["sequences"]["s0"] == {"accuracy": 1.0, "failures": 1.0}
    assert len(entry["curve"]) == 400
    assert entry["curve"][0] == 1


def test_results_of_another_data_set_are_refused(tmp_path):
    write_case(tmp_path, [(400, [], 0)])
    annotations = json.loads((tmp_path / "annotations.json").read_text())
    annotations["s0"]["gt_rect"].pop()
    (tmp_path / "annotations.json").write_text(json.dumps(annotations))
    with pytest.raises(ArtifactError, match="T has 400 lines for s0, which has 399 frames"):
        measure("T", tmp_path / "results", load(tmp_path / "annotations.json", VOT2018.tags), VOT2018)
    annotations["absent"] = annotations["s0"]
    (tmp_path / "annotations.json").write_text(json.dumps(annotations))
    with pytest.raises(ArtifactError, match="holds no result"):
        measure("T", tmp_path / "results", {"absent": load(tmp_path / "annotations.json", ())["absent"]}, VOT2018)


def test_two_results_of_one_sequence_are_refused(tmp_path):
    write_case(tmp_path, [(400, [], 0)])
    path = result_path(tmp_path / "results", "T", "s0")
    path.with_name("s0_002.txt").write_text(path.read_text())
    with pytest.raises(ArtifactError, match="holds 2 results\n  try: keep one"):
        measure("T", tmp_path / "results", load(tmp_path / "annotations.json", VOT2018.tags), VOT2018)


@pytest.mark.parametrize("line", ["1,2,3", "7", "nan,1,2,3", "a,b,c,d", "inf,0,1,1"])
def test_a_line_that_is_neither_code_nor_region_is_refused(tmp_path, line):
    (tmp_path / "x.txt").write_text(f"1\n{line}\n")
    with pytest.raises(ArtifactError, match="line 2"):
        read(tmp_path / "x.txt")


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4, 5, 6, 7], [1, 2, float("nan"), 4], []])
def test_an_annotation_that_is_no_region_is_refused(numbers):
    with pytest.raises(ArtifactError, match=r"bag, frame 3: a region is 4 or 8 finite numbers"):
        polygon(numbers, "bag, frame 3")


def test_protocols_carry_the_published_intervals():
    found = {name: Protocol.load(name) for name in ("vot2016", "vot2018", "vot2019")}
    assert [(p.eao_low, p.eao_high) for p in found.values()] == [(108, 371), (100, 356), (46, 291)]
    assert {(p.skip_frames, p.burn_in_frames) for p in found.values()} == {(5, 10)}
    with pytest.raises(UsageError, match="unknown protocol 'vot1999'\n  try: one of vot2016, vot2018, vot2019"):
        Protocol.load("vot1999")


def test_the_tag_empty_weighs_sequences_by_the_tags_they_lack(tmp_path):
    """The first lacks all five tags, the second one of them."""
    write_case(tmp_path, [(300, [], 0), (300, [], 8)])
    document = json.loads((tmp_path / "annotations.json").read_text())
    document["s0"].update({tag: [0] * 300 for tag in VOT2018.tags})
    document["s1"].update({tag: [0] * 299 + [int(tag != "occlusion")] for tag in VOT2018.tags})
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    found = measure("T", tmp_path / "results", load(tmp_path / "annotations.json", VOT2018.tags), VOT2018)
    assert found.eao["empty"] == pytest.approx((5 + 33 / 49) / 6, abs=1e-6)


def test_tags_weigh_frames(tmp_path):
    """Frames 100 on are occluded; the run that starts there does better, so the tag's figure is higher."""
    write_case(tmp_path, [(300, [], 0), (300, [], 8)])
    document = json.loads((tmp_path / "annotations.json").read_text())
    document["s0"]["occlusion"] = [1] * 300
    document["s1"]["occlusion"] = [0] * 299 + [1]
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    found = measure("T", tmp_path / "results", load(tmp_path / "annotations.json", VOT2018.tags), VOT2018)
    assert found.eao["occlusion"] == pytest.approx((1 + 0.673469 / 300) / (1 + 1 / 300), abs=1e-5)
    assert found.eao["camera_motion"] is None
    assert np.isclose(found.eao["all"], (1 + 0.673469) / 2)
