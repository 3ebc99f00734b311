"""What make takes to be up to date, with commands that only leave their artifact."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from siamtrt import GraphPrecisions

MAKEFILE = Path(__file__).parents[2] / "Makefile"
# Writes its words, quoted, to calls.txt and what a stage leaves to the folder after --out; fails where "fail" lies.
_COMMAND = """#!/bin/sh
line=; for word in "$@"; do line="$line '$word'"; last=$word; done; echo "$line" >> calls.txt
test ! -f fail || { test "$2" = runtime && mkdir -p "$last" && echo 1,2,3,4 > "$last/boxes.txt"; exit 4; }
mkdir -p "$last" && echo done > "$last/manifest.json"
test "$2" != export || cp "$6" "$last/search.onnx" 2>&- || echo seed > "$last/search.onnx"
test "$2" != calibration || echo ranges > "$last/search.ranges.json"
test "$2" != runtime || echo 1,2,3,4 > "$last/boxes.txt"
"""


@pytest.fixture
def checkout(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    shutil.copy(MAKEFILE, tmp_path / "Makefile")
    (tmp_path / "python").write_text(_COMMAND)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "siamrpn_nano.pth").write_text("shipped")
    return tmp_path


def make(folder, *words):
    """How make ended, and the words of each command that it ran, without the first, which is -m."""
    (folder / "calls.txt").unlink(missing_ok=True)
    command = ["make", "-s", "PYTHON=./python", "BOARD=", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    calls = (folder / "calls.txt").read_text().splitlines() if (folder / "calls.txt").exists() else []
    return done, [shlex.split(call)[1:] for call in calls]


def stages(calls):
    return [call[0] for call in calls]


def value(call, option):
    return call[call.index(option) + 1]


def exported(calls):
    return [value(call, "--checkpoint") for call in calls if call[0] == "export"]


def test_a_second_call_does_nothing(checkout):
    assert exported(make(checkout, "engines")[1]) == ["weights/siamrpn_nano.pth"]
    assert make(checkout, "engines")[1] == []


def test_another_checkpoint_is_exported_however_old_and_remembered(checkout):
    make(checkout, "engines")
    other = checkout / "other one.pth"
    other.write_text("another")
    subprocess.run(["touch", "-d", "2 days ago", other], check=True)
    _, calls = make(checkout, "engines", f"CHECKPOINT={other}")
    assert exported(calls) == [str(other)]
    assert stages(calls) == ["export", "engines"]
    assert make(checkout, "engines")[1] == []
    other.write_text("trained on")
    assert exported(make(checkout, "engines")[1]) == [str(other)]


def test_an_export_from_elsewhere_is_used_as_it_is(checkout):
    folder = checkout / "build" / "nanotrack_v3" / "onnx"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    _, calls = make(checkout, "engines", "MODEL=nanotrack_v3")
    assert stages(calls) == ["engines"]


def test_a_missing_checkpoint_is_one_sentence(checkout):
    done, calls = make(checkout, "engines", "MODEL=siamrpn_r50")
    assert done.returncode == 2
    assert calls == []
    assert "there is no checkpoint weights/siamrpn_r50.pth: name one with CHECKPOINT=" in done.stderr


@pytest.mark.parametrize("again", ["engines", "demo"])
def test_a_checkpoint_that_cannot_be_exported_is_not_remembered(checkout, again):
    make(checkout, "engines")
    (checkout / "cut.pth").write_text("unreadable")
    (checkout / "fail").touch()
    assert make(checkout, "export", "CHECKPOINT=cut.pth")[0].returncode == 2
    (checkout / "fail").unlink()
    assert exported(make(checkout, again)[1]) == []


def test_the_same_weights_are_not_exported_anew_whenever_they_were_written(checkout):
    make(checkout, "engines", "PRECISION=int8", "FRAMES=a")
    subprocess.run(["touch", "-d", "2 days", checkout / "weights" / "siamrpn_nano.pth"], check=True)
    assert make(checkout, "engines", "PRECISION=int8")[1] == []


def test_random_weights_are_remembered_as_a_checkpoint_is(checkout):
    _, calls = make(checkout, "export", "SEED=3")
    assert value(calls[0], "--seed") == "3"
    assert stages(make(checkout, "engines")[1]) == ["engines"]
    assert exported(make(checkout, "engines", "CHECKPOINT=weights/siamrpn_nano.pth")[1]) == ["weights/siamrpn_nano.pth"]


def test_graphs_whose_checkpoint_is_gone_are_used_as_they_are(checkout):
    other = checkout / "other.pth"
    other.write_text("another")
    make(checkout, "engines", "CHECKPOINT=other.pth")
    other.unlink()
    assert make(checkout, "engines")[1] == []


def test_a_model_that_is_not_there_leaves_no_folder(checkout):
    make(checkout, "export", "MODEL=siamrpn_r51")
    (checkout / "fail").touch()
    make(checkout, "export", "MODEL=siamrpn_r51", "CHECKPOINT=weights/siamrpn_nano.pth")
    assert not (checkout / "build").exists()


@pytest.mark.parametrize(
    "precision",
    [
        "fp16",
        "target=fp16,search=int8,xcorr=fp32",
        "xcorr=fp32,target=fp16,search=int8",
        "target=fp16,search=fp16,xcorr=fp16",
        "target=int8-all,search=int8,xcorr=int8-all",
        "int8",
        "int8-all",
        "target=fp16,search=int8,xcorr=int8",
        "target=int8,search=int8,xcorr=int8",
    ],
)
def test_engines_are_named_as_their_precision_names_itself(checkout, precision):
    _, calls = make(checkout, "engines", f"PRECISION={precision}", "FRAMES=frames")
    assert calls[-1][-1].endswith(f"engines/onnxruntime-{GraphPrecisions.parse(precision).label}")


@pytest.mark.parametrize(("old", "new"), [("KEEP=2", "FLOAT_LAYERS=2"), ("MAX_DRIFT=0.1", "MAX_NOISE=0.1")])
def test_the_old_names_of_variables_mean_the_new(checkout, old, new):
    _, calls = make(checkout, "engines", "PRECISION=int8", "FRAMES=frames", old)
    assert stages(calls) == ["export", "calibration", "engines.sensitivity", "engines"]
    name, _, number = new.lower().replace("_", "-").partition("=")
    assert value(calls[-1], f"--{name}") == number
    assert make(checkout, "engines", "PRECISION=int8", new)[1] == []


def test_typed_engines_are_of_graphs_with_kernels_as_inputs_in_a_folder_of_their_own(checkout):
    make(checkout, "engines")
    _, (export, engines) = make(checkout, "engines", "BACKEND=typed", "COMPUTE_CAPABILITY=8.9 12.0")
    assert "--kernel-inputs" in export
    assert export[-1] == "build/siamrpn_nano-inputs/onnx"
    assert [engines[at + 1] for at, word in enumerate(engines) if word == "--compute-capability"] == ["8.9", "12.0"]
    assert (
        make(checkout, "engines", "KERNEL_INPUTS=1")[1][-1][-1] == "build/siamrpn_nano-inputs/engines/onnxruntime-fp16"
    )


def test_what_was_tracked_stays_when_tracking_ends_badly_and_is_not_taken_for_finished(checkout):
    make(checkout, "engines")
    video = checkout / "a.mp4"
    video.write_text("frames")
    (checkout / "fail").touch()
    assert make(checkout, "track", f"SOURCE={video}", "INIT=1,2,3,4")[0].returncode != 0
    assert list((checkout / "build").rglob("boxes.txt"))
    (checkout / "fail").unlink()
    assert len(make(checkout, "track", f"SOURCE={video}", "INIT=1,2,3,4")[1]) == 1
    done, calls = make(checkout, "track", f"SOURCE={video}", "INIT=1,2,3,4")
    assert calls == []
    assert done.stdout.endswith("a.mp4@1-2-3-4 is up to date\n")


def test_a_box_that_is_drawn_can_be_drawn_again(checkout):
    (checkout / "a.mp4").touch()
    for _ in range(2):
        assert make(checkout, "track", "SOURCE=a.mp4")[1][-1][:2] == ["runtime", "track"]


@pytest.mark.parametrize("box", ["306, 5, 95, 65", "(306,5,95,65)", " 306,5,95,65 ", "-20,10,60,60"])
def test_a_box_is_one_word_however_it_is_written(checkout, box):
    (checkout / "a.mp4").touch()
    before = set(checkout.iterdir())
    _, calls = make(checkout, "track", "SOURCE=a.mp4", f"INIT={box}")
    assert stages(calls) == ["export", "engines", "runtime"]
    assert f"--init={re.sub('[ ()]', '', box)}" in calls[-1]
    assert {path.name for path in set(checkout.iterdir()) - before} == {"build", "calls.txt"}


def test_videos_of_one_name_are_two(checkout):
    for folder in ("a", "b"):
        (checkout / folder / "color").mkdir(parents=True)
        _, calls = make(checkout, "track", f"SOURCE={folder}/color", "INIT=1,2,3,4")
        assert "runtime" in stages(calls)
    assert len(list((checkout / "build").rglob("boxes.txt"))) == 2


def test_a_search_leads_from_a_limit_to_a_report_and_a_second_call_repeats_nothing_that_is_there(checkout):
    (checkout / "weights" / "lighttrack_mobile.pth").write_text("published")
    words = ("search", "MODEL=lighttrack_mobile", "DATA=videos", "LIMIT_MS=12")
    done, calls = make(checkout, *words)
    assert done.returncode == 0, done.stderr
    steps = [" ".join(call[:2]) if call[0] in ("architectures", "benchmarks") else call[0] for call in calls]
    carrier = ["export", "engines", "benchmarks layers"]
    found = ["training", "architectures search", *carrier[:2], "benchmarks bench", "benchmarks bench"]
    expected = ["architectures carriers", *6 * carrier, "architectures lut", *found, "benchmarks compare"]
    assert steps[-len(expected) :] == expected
    assert value(next(call for call in calls if call[1] == "search"), "--limit-ms") == "12"
    (checkout / "build" / "searched" / "lighttrack_mobile" / "onnxruntime-fp16" / "below-12-ms" / "best.pth").touch()
    _, again = make(checkout, *words)
    assert not [call for call in again if call[:2] == ["architectures", "search"] or call[0] == "training"]
    _, anew = make(checkout, *words, "FORCE=1")
    assert [call[0] for call in anew if call[0] == "training" or call[1] == "search"] == ["training", "architectures"]


@pytest.mark.parametrize(
    ("setting", "anew"),
    [
        ("DATA=others", {"training", "architectures search"}),
        ("CONFIG=other.toml", {"training", "architectures search"}),
        ("SEQUENCES=videos", {"benchmarks bench"}),
        ("THREADS=1", {"benchmarks layers", "benchmarks bench"}),
    ],
)
def test_another_setting_of_a_search_makes_anew_what_depends_on_it(checkout, setting, anew):
    words = ("search", "MODEL=lighttrack_mobile", "DATA=data", "LIMIT_MS=12", "CONFIG=one.toml")
    for name in ("weights/lighttrack_mobile.pth", "one.toml", "other.toml"):
        (checkout / name).write_text(name)
    _searched(checkout, *words)
    assert _searched(checkout, *words) == set()
    done = _searched(checkout, *words, setting)
    assert anew <= done
    assert setting == "THREADS=1" or "benchmarks layers" not in done
    assert _searched(checkout, *words, setting) == set()


def _searched(checkout, *words):
    """The commands that a search ran; what they leave is as new as its making, as that of the real ones is."""
    done, calls = make(checkout, *words)
    assert done.returncode == 0, done.stderr
    carriers = ["carriers/carrier_5.pth", *(f"carriers/{number}/layers.json" for number in range(6))]
    found = [f"below-12-ms/{name}" for name in ("best.pth", "engines/manifest.json", "compared.html")]
    for name in (*carriers, "latency.json", *found):
        (checkout / "build" / "searched" / "lighttrack_mobile" / "onnxruntime-fp16" / name).touch()
    return {" ".join(call[:2]) if call[0] in ("architectures", "benchmarks") else call[0] for call in calls}


@pytest.mark.parametrize("words", [["PRECISION=int8", "FRAMES=videos"], ["FLOAT_LAYERS=4"], ["MAX_NOISE=0.01"]])
def test_a_search_in_int8_is_refused_before_anything_is_done(checkout, words):
    done, calls = make(checkout, "search", "MODEL=lighttrack_mobile", "DATA=videos", "LIMIT_MS=12", *words)
    assert (done.returncode, calls) == (2, [])
    assert "make search has no INT8, no FLOAT_LAYERS and no MAX_NOISE" in done.stderr


def test_paths_with_blanks_are_one_word_everywhere(checkout):
    source = checkout / "my vids" / "a b.mp4"
    source.parent.mkdir()
    source.touch()
    track = ("track", "SOURCE=my vids/a b.mp4", "INIT=1,2,3,4", "OUT=my vids/out")
    assert value(make(checkout, *track)[1][-1], "--out") == "my vids/out"
    assert make(checkout, *track)[1] == []
    for goal, words, out in (
        ("ope", ("SEQUENCES=my vids/data set",), "build/siamrpn_nano/ope/data_set"),
        ("vot", ("SEQUENCES=my vids/data set", "OUT=my vids/vot"), "my vids/vot"),
        ("bench", ("SEQUENCES=my vids", "NAME=my run"), "build/siamrpn_nano/reports/my run"),
        ("evaluate", ("ANNOTATIONS=my vids", "RESULTS=my vids/results"), "my vids/evaluation.json"),
        ("layers", ("OUT=my vids/layers.json",), "my vids/layers.json"),
        ("train", ("DATA=my vids", "CONFIG=my vids/c d.toml"), "build/training/c_d"),
    ):
        _, calls = make(checkout, goal, *words)
        assert value(calls[-1], "--out") == out
    assert sorted(path.name for path in checkout.iterdir()) == [
        "Makefile", "build", "calls.txt", "my vids", "python", "weights",
    ]  # fmt: skip


def test_results_of_others_are_judged_beside_them(checkout):
    _, calls = make(checkout, "evaluate", "ANNOTATIONS=truth.json", "RESULTS=published/results/")
    assert value(calls[-1], "--out") == "published/evaluation.json"
    _, calls = make(checkout, "evaluate", "ANNOTATIONS=truth.json")
    assert value(calls[-1], "--out") == "build/siamrpn_nano/vot/onnxruntime-fp16/evaluation.json"


def test_a_stage_of_training_finds_what_the_one_before_left(checkout):
    _, (first,) = make(checkout, "train", "DATA=data")
    assert value(first, "--config") == "training/configs/siamrpn_nano.toml"
    configs = MAKEFILE.parent / "training" / "configs"
    starts = re.compile(r'^start = "(build/training/siamrpn_nano.*)/best.pth"$', re.M)
    left = {value(first, "--out")}
    for name in ("taught", "overlap", "pieces"):
        (start,) = starts.findall((configs / f"siamrpn_nano_{name}.toml").read_text())
        assert start in left
        _, (call,) = make(checkout, "train", "DATA=data", f"CONFIG=training/configs/siamrpn_nano_{name}.toml")
        left.add(value(call, "--out"))
    assert len(left) == 4


@pytest.mark.parametrize(
    ("goal", "words"), [("train", ()), ("cells", ()), ("prune", ("VARIANT=m62",)), ("board-check", ())]
)
def test_what_resumes_begins_anew_when_forced(checkout, goal, words):
    out = checkout / value(make(checkout, goal, "DATA=data", *words)[1][-1], "--out")
    (out / "half").touch()
    make(checkout, goal, "DATA=data", *words)
    assert (out / "half").exists()
    make(checkout, goal, "DATA=data", *words, "FORCE=1")
    assert not (out / "half").exists()
    assert (out.with_name(f"{out.name}.before") / "half").exists()


@pytest.mark.parametrize(
    ("goal", "missing"),
    [
        ("track", "SOURCE"),
        ("vot", "SEQUENCES"),
        ("ope", "SEQUENCES"),
        ("evaluate", "ANNOTATIONS"),
        ("train", "DATA"),
        ("search", "DATA"),
    ],
)
def test_a_variable_that_is_left_out_is_named_before_anything_runs(checkout, goal, missing):
    done, calls = make(checkout, goal)
    assert done.returncode == 2
    assert calls == []
    assert re.search(f"name the .*: {missing}=.*; see README.md", done.stderr)


def test_frames_are_named_before_ranges_can_be_measured(checkout):
    done, _ = make(checkout, "calibrate")
    assert "name the frames to calibrate with: FRAMES=" in done.stderr


def test_other_frames_calibrate_anew_and_the_same_do_not(checkout):
    assert "calibration" in stages(make(checkout, "calibrate", "FRAMES=a b")[1])
    assert stages(make(checkout, "engines", "PRECISION=int8")[1]) == ["engines"]
    assert make(checkout, "engines", "PRECISION=int8")[1] == []
    assert make(checkout, "calibrate", "FRAMES=a b")[1] == []
    assert value(make(checkout, "calibrate", "FRAMES=c", "CROPS=9")[1][0], "--frames") == "c"
    assert stages(make(checkout, "engines", "PRECISION=int8")[1]) == ["engines"]


def test_frames_that_calibrated_are_remembered_and_others_are_not(checkout):
    make(checkout, "calibrate", "FRAMES=a b", "CROPS=9")
    (checkout / "fail").touch()
    make(checkout, "calibrate", "FRAMES=none")
    (checkout / "fail").unlink()
    _, (call,) = make(checkout, "calibrate", "METHOD=minmax")
    assert [value(call, option) for option in ("--frames", "--crops", "--method")] == ["a b", "9", "minmax"]


def test_layers_are_ranked_anew_only_for_other_graphs_or_ranges(checkout):
    make(checkout, "sensitivity", "FRAMES=a")
    subprocess.run(["touch", checkout / "build" / "siamrpn_nano" / "calibration" / "manifest.json"], check=True)
    done, calls = make(checkout, "sensitivity")
    assert calls == []
    assert "sensitivity.json is up to date" in done.stdout
    (checkout / "other.pth").write_text("another")
    done, calls = make(checkout, "sensitivity", "CHECKPOINT=other.pth")
    assert stages(calls) == ["export", "calibration", "engines.sensitivity"]
    assert "a matter of minutes" in done.stderr


def test_force_does_the_goal_anew_alone_and_keeps_what_was_there(checkout):
    make(checkout, "bench")
    for _ in range(2):
        assert stages(make(checkout, "bench", "FORCE=1")[1]) == ["benchmarks"]
    reports = checkout / "build" / "siamrpn_nano" / "reports"
    assert len([path for path in reports.iterdir() if ".before" in path.name]) == 2
    assert stages(make(checkout, "engines", "FORCE=1")[1]) == ["engines"]


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        ("bench", ()),
        ("sweep", ()),
        ("layers", ()),
        ("demo", ()),
        ("vot", ("SEQUENCES=a",)),
        ("ope", ("SEQUENCES=a",)),
        ("track", ("SOURCE=camera:0",)),
        ("calibrate", ("FRAMES=a",)),
        ("sensitivity", ("FRAMES=a",)),
    ],
)
def test_threads_reach_the_command(checkout, goal, words):
    assert value(make(checkout, goal, "THREADS=3", *words)[1][-1], "--threads") == "3"


def test_a_variant_has_a_folder_and_weights_of_its_own(checkout):
    (checkout / "weights" / "siamrpn_nano-m62.pth").write_text("smaller")
    _, calls = make(checkout, "engines", "MODEL=siamrpn_nano", "VARIANT=m62")
    assert exported(calls) == ["weights/siamrpn_nano-m62.pth"]
    assert value(calls[-1], "--out") == "build/siamrpn_nano-m62/engines/onnxruntime-fp16"
    pruned = checkout / "build" / "siamrpn_nano-m50" / "pruned" / "pruned.pth"
    pruned.parent.mkdir(parents=True)
    pruned.write_text("cut here")
    _, calls = make(checkout, "export", "MODEL=siamrpn_nano", "VARIANT=m50")
    assert exported(calls) == ["build/siamrpn_nano-m50/pruned/pruned.pth"]


def test_pruning_names_its_variant_and_leaves_it_where_export_looks(checkout):
    words = ["MODEL=siamrpn_nano", "VARIANT=m50", "MACS=0.5", "DATA=data"]
    _, (call,) = make(checkout, "prune", *words)
    assert call[:2] == ["training.pruning", "rounds"]
    assert (value(call, "--start"), value(call, "--macs")) == ("weights/siamrpn_nano.pth", "0.5")
    assert value(call, "--config") == "training/configs/siamrpn_nano_pruned.toml"
    assert value(call, "--out") == "build/siamrpn_nano-m50/pruned"
    done, calls = make(checkout, "prune", "DATA=data")
    assert "what the smaller model is to be called" in done.stderr
    assert not calls


def test_exits_are_those_that_were_trained_around_the_same_weights(checkout):
    shipped, trained = (checkout / "weights" / f"siamrpn_nano{end}.pth" for end in ("", "-exits"))
    trained.write_text("trained")
    card = checkout / "weights" / "siamrpn_nano-exits.md"
    card.write_text(f"around {hashlib.sha256(shipped.read_bytes()).hexdigest()}")
    words = ("TUNING=a", "SEQUENCES=b")
    names = ["weights/siamrpn_nano.pth", "weights/siamrpn_nano-exits.pth"]
    assert exported(make(checkout, "exits", *words)[1]) == names
    shipped.write_text("trained anew")
    assert exported(make(checkout, "exits", *words)[1]) == [names[0], names[0]]


def test_exits_of_int8_are_refused_before_anything_runs(checkout):
    done, calls = make(checkout, "exits", "PRECISION=int8", "FRAMES=a")
    assert done.returncode == 2
    assert "make exits has no INT8" in done.stderr
    assert not calls


def test_help_lists_every_target_and_every_variable_with_the_value_it_has(checkout):
    shown, _ = make(checkout, "help")
    text = MAKEFILE.read_text()
    targets = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", text, re.MULTILINE).group(1).replace("\\\n", " ").split()
    for target in set(targets) - {"again"}:
        assert re.search(rf"^  {target} +\S", shown.stdout, re.MULTILINE), target
    assert re.findall(r"^\S.*", shown.stdout, re.MULTILINE)[:4] == ["First steps", "Build", "Judge", "Board and work"]
    for name in set(re.findall(r"^([A-Z]\w*) \?=", text, re.MULTILINE)) - {"BOARD_FILES", "CAMERA_FILES"}:
        assert re.search(rf"^  {name} ", shown.stdout, re.MULTILINE), name
    for name, default in re.findall(r"^##\? (\w+)=(\S*) : ", text, re.MULTILINE):
        if default and name.isupper() and not re.search("[A-Z]", default) and name not in ("PYTHON", "CROPS"):
            show = ["make", "-s", "BOARD=", f"--eval=show: ; @echo $({name})", "show"]
            assert subprocess.run(show, cwd=checkout, capture_output=True, text=True).stdout.strip() == default
