from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.held_out.constants import RANGES, proposal
from benchmarks.evaluation.held_out.runs import judged, summary, with_constants
from benchmarks.evaluation.held_out.videos import load_videos
from runtime.decode import Decoder
from siamtrt import ModelCard, UsageError, cli
from siamtrt.card import TrackerConstants

PUBLISHED = TrackerConstants(0.05, 0.42, 0.38, source="test")


def test_a_window_that_is_tried_is_the_one_that_decodes(tiny_onnx):
    card = ModelCard.load(tiny_onnx)
    worths = [
        Decoder(tried, tried.search).window.max()
        for tried in (with_constants(card, replace(PUBLISHED, window_influence=share)) for share in (0.1, 0.6))
    ]
    assert worths == pytest.approx([0.1, 0.6])


def write_video(folder, frames=4, masks=False):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = []
    for index in range(frames):
        image = rng.integers(0, 90, (120, 160, 3), dtype=np.uint8)
        x, y = 40 + 3 * index, 50
        image[y : y + 24, x : x + 30] = (30, 200, 240)
        cv2.imwrite(str(folder / f"{index:05d}.jpg"), image)
        if masks:
            mask = np.zeros((120, 160), np.uint8)
            mask[y : y + 24, x : x + 30] = 255 * (index != 2)
            cv2.imwrite(str(folder / f"{index:05d}.png"), mask)
        lines.append(f"{x},{y},30,24")
    if not masks:
        (folder / "groundtruth.txt").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    root = tmp_path_factory.mktemp("heldout")
    write_video(root / "videos" / "held")
    write_video(root / "videos" / "trained")
    write_video(root / "masked" / "cat", masks=True)
    return [root / "videos", root / "masked"]


def command(name, *words):
    return cli.run_table("benchmarks", "", COMMANDS, [name, *map(str, words)])


def test_only_the_named_videos_are_judged_and_all_of_a_folder_without_such_names(roots):
    groups = load_videos(roots, ["held"])
    assert [video.name for video in groups["videos"]] == ["held"]
    assert [video.name for video in groups["masked"]] == ["cat"]


def test_a_video_in_a_folder_is_held_out_by_the_name_of_either(tmp_path):
    for name in ("far/held", "far/other", "near/third"):
        write_video(tmp_path / "deep" / name)
    chosen = {
        name: [video.name for video in load_videos([tmp_path / "deep"], [name])["deep"]]
        for name in ("held", "far", "far/held")
    }
    assert chosen == {"held": ["far/held"], "far": ["far/held", "far/other"], "far/held": ["far/held"]}


def test_a_name_that_no_folder_has_is_refused_rather_than_all_videos_judged(roots):
    with pytest.raises(UsageError, match="none of the folders has the held-out hold\n"):
        load_videos(roots, ["hold"])
    with pytest.raises(UsageError, match="none of the folders has the held-out hold\n"):
        load_videos(roots, ["held", "hold"])


def test_videos_without_a_truth_to_judge_by_are_refused(tmp_path):
    write_video(tmp_path / "bare" / "one")
    (tmp_path / "bare" / "one" / "groundtruth.txt").write_text("40,50,30,24\n")
    with pytest.raises(UsageError, match="one has 4 frames and one line of truth"):
        load_videos([tmp_path / "bare"], [])
    (tmp_path / "bare" / "one" / "groundtruth.txt").unlink()
    with pytest.raises(UsageError, match="bare holds no video with a truth"):
        load_videos([tmp_path / "bare"], [])


def test_a_mask_gives_its_extent_and_none_without_the_object(roots):
    video = load_videos(roots, [])["masked"][0]
    assert video.regions[1] == (43, 50, 30, 24)
    assert np.isnan(video.regions[2]).all()


def test_two_folders_of_one_name_are_refused(roots, tmp_path):
    write_video(tmp_path / "videos" / "other")
    with pytest.raises(UsageError, match="two folders are called videos"):
        load_videos([roots[0], tmp_path / "videos"], [])


def test_a_run_is_judged_by_hand_computed_figures():
    truth = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [np.nan] * 4, [50, 50, 10, 10], [0, 0, 10, 10]], float)
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 12.5], [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]], float)
    run = judged(boxes, truth)
    assert run.overlaps == [1.0, 0.8, None, 0.0, 1.0]
    assert run.overlap == pytest.approx(0.7)
    assert run.losses == 1
    assert run.size_ratio == pytest.approx(1.0)
    assert run.success_auc == pytest.approx(np.mean([20 / 21, 16 / 21, 0, 20 / 21]))


def test_every_video_counts_alike():
    truth = np.array([[0, 0, 10, 10.0]] * 3)
    good, bad = judged(truth[:2], truth[:2]), judged(truth + 50, truth)
    both = summary({"good": good, "bad": bad})
    assert both.overlap == pytest.approx(0.5)


def test_the_judge_writes_the_overlap_of_every_frame_and_prints_each_model(tiny_engines, roots, tmp_path, capsys):
    words = ("--models", tiny_engines, "--videos", *roots, "--held-out", "held", "--out", tmp_path / "judged.json")
    assert command("judge", *words) == 0
    document = json.loads((tmp_path / "judged.json").read_text())
    ((name, model),) = document["models"].items()
    assert document["engines_manifest"]["files"][f"{name}: search.onnx"]
    assert len(model["videos"]["videos"]["held"]["overlaps"]) == 4
    assert model["videos"]["masked"]["cat"]["overlaps"][2] is None
    assert model["constants"]["penalty_k"] == 0.05
    assert f"{model['worth']:.3f}" in capsys.readouterr().out


def test_a_search_goes_on_where_it_stopped_and_refuses_another_one(tiny_engines, roots, tmp_path, capsys):
    out = tmp_path / "constants.json"
    words = ("--engines", tiny_engines, "--videos", roots[0], "--held-out", "held", "--out", out)
    assert command("constants", *words, "--settings", 2) == 0
    begun = json.loads(out.read_text())["tried"]
    assert begun[0]["values"] == {"penalty_k": 0.05, "window_influence": 0.42, "lr": 0.38}
    assert command("constants", *words, "--settings", 3) == 0
    tried = json.loads(out.read_text())["tried"]
    assert tried[:2] == begun
    assert len(tried) == 3
    assert command("constants", *words, "--settings", 3, "--seed", 1) == 2
    assert "is a search with other seed" in capsys.readouterr().err
    others = [word if word != "held" else "trained" for word in words]
    assert command("constants", *others, "--settings", 3) == 2
    assert "is a search with other videos" in capsys.readouterr().err


def test_proposals_stay_in_their_ranges_and_close_in_on_the_best():
    best = {"penalty_k": 0.0, "window_influence": 0.3, "lr": 0.9}
    tried = [{"values": best, "worth": 0.9}, {"values": dict.fromkeys(RANGES, 0.2), "worth": 0.1}]
    seen = [proposal(tried * count, PUBLISHED, 60, 0) for count in range(1, 30)]
    for name, (low, high) in RANGES.items():
        values = [values[name] for values in seen]
        assert min(values) >= low
        assert max(values) <= high
    early = max(abs(values["window_influence"] - 0.3) for values in seen[:8])
    late = max(abs(values["window_influence"] - 0.3) for values in seen[-8:])
    assert late < early
