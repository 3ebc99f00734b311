"""The command on a tiny model with exits and two clips: from the table to the page."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.exits.measures import exits_at
from benchmarks.evaluation.exits.table import EveryExit, ExitTable
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from siamtrt import BoundingBox, GraphPrecisions, ModelCard, cli
from tests.built import build
from tests.doubles.clip import clip, picture
from tests.tiny_cascade import write_tiny_cascade


def command(*words):
    return cli.run_table("benchmarks", "", COMMANDS, ["exits", *map(str, words)])


def write_video(folder, seed, frames=10):
    folder.mkdir(parents=True)
    for index, frame in enumerate(clip(np.roll(picture(), seed * 7, 1), frames)):
        cv2.imwrite(str(folder / f"{index:05d}.png"), frame)
    lines = [f"{40 + 3 * index},{40 + 2 * index},{40 + seed},40" for index in range(frames)]
    (folder / "groundtruth.txt").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Engines, tuned thresholds, and a run of two videos with its report."""
    root = tmp_path_factory.mktemp("exits")
    write_tiny_cascade(root / "onnx")
    build(root / "onnx", root / "engines", "onnxruntime", GraphPrecisions.parse("fp32"), "make engines")
    for seed, name in enumerate(("tune/a", "tune/b", "judge/c", "judge/d")):
        write_video(root / name, seed)
    engines = ("--engines", root / "engines", "--threads", 1)
    assert command("table", *engines, "--videos", root / "tune", "--out", root / "tuning.npz") == 0
    assert command("tune", "--table", root / "tuning.npz", "--out", root / "policy") == 0
    assert command("run", *run_words(root)) == 0
    assert command("table", *engines, "--videos", root / "judge", "--out", root / "judged.npz") == 0
    words = ("--table", root / "judged.npz", "--tuned", root / "policy" / "policy.json", "--out", root / "report")
    assert command("report", "--run", root / "run", *words) == 0
    return root


def run_words(root, videos="judge", out="run"):
    return (
        *("--engines", root / "engines", "--threads", 1, "--whole", root / "engines"),
        *("--tuned", root / "policy" / "policy.json", "--points", "0.0", "0.5", "1.0"),
        *("--random", "0.4,0.3,0.3", "--random-seeds", 2, "--policy", "gates=threshold:0.5:gate-conditional"),
        *("--chance", "tuned 0.5"),
        *("--videos", root / videos, "--out", root / out),
    )


def run_of(root):
    return json.loads((root / "run" / "exits.json").read_text())


def test_the_ends_of_the_tuned_points_are_fixed_exits(made):
    for columns in run_of(made)["done"].values():
        assert columns["tuned 0.0"]["boxes"] == columns["fixed:1"]["boxes"]
        assert columns["tuned 1.0"]["boxes"] == columns["fixed:3"]["boxes"] == columns["whole"]["boxes"]


def test_every_exit_can_be_computed_again_from_the_raw_scores(made):
    tuned = json.loads((made / "policy" / "policy.json").read_text())
    column = {"peak": 0, "gate": 1}[tuned["score"]]
    for columns in run_of(made)["done"].values():
        row = columns["tuned 0.5"]
        for exit_number, scores in zip(row["exits"], row["scores"]):
            assert len(scores) == exit_number
            values = np.full((1, 2), np.nan)
            values[0, : min(2, exit_number)] = [score[column] for score in scores[:2]]
            assert exits_at(values, tuned["points"]["0.5"]).tolist() == [exit_number]


def test_one_engine_folder_stands_behind_all_rows(made):
    summary = json.loads((made / "report" / "summary.json").read_text())
    assert set(summary["engines"]) >= {"xcorr_1.onnx", "xcorr_3.onnx"}
    assert summary["command"].startswith("python")
    rows = summary["rows"]
    assert rows["whole"]["cost"] == rows["fixed:3"]["cost"] == 1
    assert rows["fixed:1"]["histogram"] == [1, 0, 0]
    assert rows["fixed:1"]["hull_gain"] is None
    assert rows["tuned 0.5"]["hull_gain"] is not None
    assert rows["random 0.4,0.3,0.3 #0"]["histogram"] != rows["random 0.4,0.3,0.3 #1"]["histogram"]
    assert rows["tuned 0.5"]["joules_a_frame"] is None
    assert rows["tuned 0.5"]["no_joules"]
    assert rows["fixed:2"]["ms"]["p50"] <= rows["fixed:2"]["ms"]["p99"] <= rows["fixed:2"]["ms"]["max"]


def test_no_row_of_the_table_beats_the_oracle(made):
    open_loop = json.loads((made / "report" / "summary.json").read_text())["open_loop"]
    best = max(point["overlap"] for point in open_loop["oracle"])
    assert all(row["overlap"] <= best for row in open_loop["fixed"])


def test_tuned_points_are_judged_in_open_loop_too(made):
    loop = json.loads((made / "report" / "summary.json").read_text())["open_loop"]
    (judged,) = loop["tuned"].values()
    assert judged["points"]["0.0"]["cost"] == pytest.approx(loop["fixed"][0]["cost"])
    assert judged["points"]["1.0"]["overlap"] == pytest.approx(loop["fixed"][2]["overlap"])
    low, high = judged["points"]["0.5"]["hull_gain_interval"]
    assert low <= high
    best = max(point["overlap"] for point in loop["oracle"])
    assert all(point["overlap"] <= best + 1e-12 for point in judged["points"].values())


def test_chance_has_the_mix_of_the_row_it_stands_beside(made):
    rows = json.loads((made / "report" / "summary.json").read_text())["rows"]
    mix = rows["tuned 0.5"]["histogram"]
    for seed in range(2):
        beside = rows[f"random as tuned 0.5 #{seed}"]
        np.testing.assert_allclose(beside["histogram"], mix, atol=0.12)  # of 18 frames
        assert beside["cost"] == pytest.approx(rows["tuned 0.5"]["cost"], abs=0.1)


def test_chance_on_the_table_is_what_the_mix_says(made):
    table = ExitTable.load(made / "judged.npz")
    loop = json.loads((made / "report" / "summary.json").read_text())["open_loop"]
    (judged,) = loop["tuned"].values()
    for point in judged["points"].values():
        chance = point["chance"]
        assert chance["expected"] == pytest.approx(np.dot(point["mix"], table.overlaps.mean(0)))
        error = chance["deviation"] / np.sqrt(chance["seeds"])
        assert abs(chance["overlap"] - chance["expected"]) <= 2 * error + 1e-9


def test_a_report_says_what_may_be_claimed(made, capsys):
    words = ("--table", made / "judged.npz", "--tuned", made / "policy" / "policy.json", "--out", made / "report")
    assert command("report", "--run", made / "run", *words) == 0
    said = json.loads((made / "report" / "summary.json").read_text())["verdict"]
    assert said["words"] in capsys.readouterr().out
    assert "looking at frames helps" in (made / "report" / "exits.html").read_text()
    assert said["over_chance"]["tuned 0.5"]["seeds"] == 2


def test_chance_of_a_row_that_does_not_run_is_refused(made, capsys):
    words = ["--engines", made / "engines", "--videos", made / "judge", "--out", made / "chance"]
    assert command("run", *words, "--chance", "tuned 0.4") == 2
    assert "chance of tuned 0.4: no such row" in capsys.readouterr().err


def test_the_page_holds_curves_table_and_chance(made):
    page = (made / "report" / "exits.html").read_text()
    for words in (
        "Accuracy over multiply-accumulates",
        "Accuracy over time",
        "All rows",
        "Where frames stop",
        "The worst case",
        "Chance",
        "oracle",
        "gates",
    ):
        assert words in page


def test_a_finished_run_is_not_run_again(made, caplog):
    before = (made / "run" / "exits.json").read_bytes()
    assert command("run", *run_words(made)) == 0
    assert (made / "run" / "exits.json").read_bytes() == before


@pytest.mark.parametrize("change", ["thresholds", "threads"])
def test_a_run_of_other_thresholds_or_threads_is_not_taken_for_finished(made, tmp_path, capsys, change):
    shutil.copytree(made / "run", tmp_path / "run")
    words = list(run_words(made, out=tmp_path / "run"))
    path = made / "policy" / "policy.json"
    before = path.read_text()
    try:
        if change == "thresholds":
            path.write_text(before.replace('"default": "', '"default":  "'))
        else:
            words[words.index("--threads") + 1] = 2
        assert command("run", *words) == 4
    finally:
        path.write_text(before)
    assert ("policy_files" if change == "thresholds" else "threads") in capsys.readouterr().err


def test_truth_behind_the_first_frame_changes_no_box(made, tmp_path):
    blind = shutil.copytree(made / "judge", tmp_path / "judge")
    for path in blind.glob("*/groundtruth.txt"):
        first, *rest = path.read_text().splitlines()
        path.write_text("\n".join([first, *(["nan,nan,nan,nan"] * (len(rest) - 1)), rest[-1]]))
    words = list(run_words(made))
    words[words.index(made / "judge")], words[words.index(made / "run")] = blind, tmp_path / "run"
    assert command("run", *words) == 0
    again = json.loads((tmp_path / "run" / "exits.json").read_text())["done"]
    for video, columns in run_of(made)["done"].items():
        for name, column in columns.items():
            assert again[video][name]["boxes"] == column["boxes"]
            assert again[video][name]["exits"] == column["exits"]


def test_thresholds_are_not_judged_on_their_tuning_videos(made, capsys):
    assert command("run", *run_words(made, "tune", "other")) == 2
    assert "tuned on a, b" in capsys.readouterr().err
    engines = ("--engines", made / "engines", "--threads", 1)
    policy = f"mine=tuned:{made / 'policy' / 'policy.json'}:0.5"
    assert command("run", *engines, "--policy", policy, "--videos", made / "tune", "--out", made / "another") == 2
    assert "tuned on a, b" in capsys.readouterr().err
    words = (*engines, "--videos", made / "tune", "--out", made / "fixed")
    assert command("run", *words, "--policy", "fixed:1") == 0
    words = ("--tuned", made / "policy" / "policy.json", "--table", made / "tuning.npz", "--out", made / "refused")
    assert command("report", "--run", made / "fixed", *words) == 2
    assert "tuned on a, b" in capsys.readouterr().err


def test_two_videos_of_one_name_are_refused(made, tmp_path, capsys):
    words = ("--engines", made / "engines", "--out", tmp_path / "table.npz")
    shutil.copytree(made / "judge" / "c", tmp_path / "more" / "c")
    assert command("table", *words, "--videos", made / "judge", tmp_path / "more") == 2
    assert "two videos are called c" in capsys.readouterr().err


def test_what_a_box_takes_stands_beside_what_its_crop_takes(made):
    card = ModelCard.load(made / "engines")
    with Tracker(EveryExit(OnnxMatcher(made / "engines", card, threads=1))) as tracker:
        frames = clip(picture(), 2)
        tracker.start(frames[0], BoundingBox(40, 40, 40, 40))
        assert {"crop", "decode"} <= set(tracker.update(frames[1]).times)


@pytest.mark.parametrize("policy", ["fixed:1", "threshold:0.5:gate", "threshold:0.5+hysteresis:0.52,0.45,2"])
def test_a_table_along_the_way_of_a_policy_has_the_boxes_of_its_run(made, tmp_path, capsys, policy):
    engines = ("--engines", made / "engines", "--threads", 1, "--videos", made / "judge")
    assert command("table", *engines, "--policy", policy, "--out", tmp_path / "rows.npz") == 0
    assert command("run", *engines, "--policy", f"it={policy}", "--out", tmp_path / "run") == 0
    table = ExitTable.load(tmp_path / "rows.npz")
    assert table.policy == policy
    done = json.loads((tmp_path / "run" / "exits.json").read_text())["done"]
    for index, video in enumerate(table.names):
        rows, ran = table.video == index, done[video]["it"]
        taken = np.array(ran["exits"])
        np.testing.assert_allclose(table.overlaps[rows][np.arange(len(taken)), taken - 1], ran["overlaps"])
        for row, scores in zip(table.scores[rows], ran["scores"]):
            np.testing.assert_allclose(row[: len(scores)], scores)
    assert command("tune", "--table", tmp_path / "rows.npz", "--out", tmp_path / "policy") == 2
    assert f"follows {policy}" in capsys.readouterr().err


def test_a_table_of_other_videos_is_no_oracle(made, capsys):
    words = ("report", "--run", made / "run", "--table", made / "tuning.npz", "--out", made / "other")
    assert command(*words) == 2
    assert "other videos or engines" in capsys.readouterr().err


def test_a_model_without_exits_has_no_table(made, tiny_engines, capsys):
    words = ("table", "--engines", tiny_engines, "--videos", made / "tune", "--out", made / "none.npz")
    assert command(*words) == 2
    assert "without exits" in capsys.readouterr().err
