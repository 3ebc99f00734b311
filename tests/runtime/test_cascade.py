from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from runtime.cascade import CascadeLocator
from runtime.decode import Decoder
from runtime.locator import HostLocator
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.policies.parse import TUNED, files_of, parse
from runtime.policies.plain import Fixed, Replay
from runtime.track import track
from runtime.tracker import Tracker
from siamtrt import ArtifactError, BoundingBox, GraphPrecisions, InferenceError, Manifest, ModelCard, UsageError
from tests.built import build
from tests.doubles.clip import BOXES, clip, picture
from tests.tiny_cascade import poison, write_tiny_cascade

START = BOXES[0]
FRAMES = 12


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cascade")
    write_tiny_cascade(folder / "onnx")
    build(folder / "onnx", folder / "engines", "onnxruntime", GraphPrecisions.parse("fp32"), "make engines")
    return folder / "engines"


def follow(engines, policy, frames=FRAMES):
    with Tracker.open(engines, threads=1, policy=policy) as tracker:
        video = clip(picture(), frames)
        tracker.start(video[0], START)
        return [tracker.update(frame) for frame in video[1:]]


def test_exits_are_of_one_target(tmp_path):
    write_tiny_cascade(tmp_path / "onnx")
    with pytest.raises(UsageError, match="stops each target at an exit of its own"):
        build(tmp_path / "onnx", tmp_path / "two", "onnxruntime", GraphPrecisions.parse("fp32"), "", targets=2)


def boxes(states):
    return [str(state.box) for state in states]


def exits(states):
    return [state.exit.number for state in states]


def open_cascade(engines, policy):
    card = ModelCard.load(engines)
    matcher = OnnxMatcher(engines, card, threads=1)
    return CascadeLocator(matcher, policy(card)), matcher


def middle_theta(engines):
    """A threshold that sends some frames on and stops others."""
    peaks = sorted(state.exit.scores[0]["peak"] for state in follow(engines, "fixed:1"))
    return peaks[len(peaks) // 2]


def test_all_stages_give_the_box_of_the_last_exit(engines):
    whole = follow(engines, None)
    assert boxes(whole) == boxes(follow(engines, "fixed:3"))
    assert [state.exit for state in whole] == [None] * (FRAMES - 1)


def test_exits_differ(engines):
    assert len({tuple(boxes(follow(engines, f"fixed:{number}"))) for number in (1, 2, 3)}) == 3


@pytest.mark.parametrize(("theta", "fixed"), [("0", "fixed:1"), ("-1", "fixed:1"), ("1", "fixed:3"), ("2", "fixed:3")])
def test_the_ends_of_the_threshold_are_the_first_and_the_last_exit(engines, theta, fixed):
    assert boxes(follow(engines, f"threshold:{theta}")) == boxes(follow(engines, fixed))


def test_stages_that_are_not_reached_do_not_run(engines, tmp_path):
    broken = shutil.copytree(engines, tmp_path / "broken")
    poison(broken, ["search_2", "search_3", "xcorr_2", "xcorr_3"])
    healthy = boxes(follow(engines, "fixed:1"))
    assert boxes(follow(broken, "fixed:1")) == healthy
    assert boxes(follow(broken, "threshold:0")) == healthy
    with pytest.raises(InferenceError, match="no numbers"):
        follow(broken, "threshold:1")


def test_each_stage_runs_as_often_as_exits_behind_it_are_taken(engines):
    theta = middle_theta(engines)
    locator, matcher = open_cascade(engines, lambda card: parse(f"threshold:{theta}", card, {}).policy)
    tracker, video = Tracker(locator), clip(picture(), FRAMES)
    tracker.start(video[0], START)
    taken = exits([tracker.update(frame) for frame in video[1:]])
    assert len(set(taken)) > 1
    for number in (1, 2, 3):
        reached = sum(exit_number >= number for exit_number in taken)
        assert matcher.runs[f"search_{number}"] == matcher.runs[f"xcorr_{number}"] == reached


def test_scores_and_times_are_those_of_the_stages_that_ran(engines):
    for state in follow(engines, "fixed:2", 4):
        assert (state.exit.number, state.exit.count) == (2, 3)
        assert len(state.exit.scores) == len(state.exit.stage_ns) == 2
        assert set(state.exit.scores[0]) == {"peak", "gate"}
        assert min(state.exit.stage_ns) > 0
        assert sum(state.exit.stage_ns) == state.times["search"] + state.times["xcorr"]


def test_every_exit_follows_from_the_scores_by_the_rule(engines):
    theta = middle_theta(engines)
    for state in follow(engines, f"threshold:{theta}"):
        halted = [scores["peak"] >= theta for scores in state.exit.scores]
        assert halted[:-1] == [False] * (len(halted) - 1)
        assert halted[-1] or state.exit.number == 3


def test_a_replay_gives_the_same_boxes(engines, tmp_path):
    class Source:
        fps, count = 30.0, None

        def frames(self):
            return iter(clip(picture(), FRAMES))

    policy = "random:5:0.4,0.3,0.3"
    track(engines, Source(), [START], tmp_path / "one", threads=1, policy=policy)
    lines = (tmp_path / "one" / "boxes.jsonl").read_text().splitlines()
    taken = [json.loads(line).get("exit") for line in lines]
    assert taken[0] is None
    assert set(taken[1:]) == {1, 2, 3}
    replayed = f"replay:{tmp_path / 'one' / 'boxes.jsonl'}"
    track(engines, Source(), [START], tmp_path / "two", threads=1, policy=replayed)
    assert (tmp_path / "one" / "boxes.txt").read_bytes() == (tmp_path / "two" / "boxes.txt").read_bytes()


def test_a_new_target_starts_the_policy_anew(engines):
    locator, _ = open_cascade(engines, lambda card: Replay([3, 1, 2], 3))
    tracker, video = Tracker(locator), clip(picture(), 4)
    for _ in range(2):
        tracker.start(video[0], START)
        assert exits([tracker.update(frame) for frame in video[1:]]) == [3, 1, 2]


def test_an_audit_takes_the_last_exits_box(engines):
    audited = follow(engines, "fixed:1+audit:1", 4)
    assert boxes(audited) == boxes(follow(engines, "fixed:3", 4))


def test_an_audited_frame_is_one_of_the_last_exit_and_costs_as_much(engines):
    states = follow(engines, "fixed:1+audit:2", 5)
    assert exits(states) == [1, 3, 1, 3]
    for state in states:
        assert len(state.exit.stage_ns) == len(state.exit.scores) == state.exit.number
        assert sum(state.exit.stage_ns) == state.times["search"] + state.times["xcorr"]
    locator, _ = open_cascade(engines, lambda _: Replay(exits(states), 3))
    tracker, video = Tracker(locator), clip(picture(), 5)
    tracker.start(video[0], START)
    assert boxes([tracker.update(frame) for frame in video[1:]]) == boxes(states)


@pytest.mark.parametrize("order", ["{energy}{hysteresis}", "{hysteresis}{energy}"])
def test_hysteresis_keeps_to_the_bucket_in_any_order(engines, order):
    """A settling of all frames at the last exit, and energy for one of them."""
    limits = order.format(energy="+energy:10,22,45:10:45", hysteresis="+hysteresis:0.75,0.5,3,99")
    assert exits(follow(engines, f"fixed:1{limits}", 4)) == [3, 1, 1]


def test_the_gates_before_the_start_depth_are_told(engines):
    told = []

    class Listening(Fixed):
        def halts(self, number, scores, elapsed_ns):
            told.append(number)
            return super().halts(number, scores, elapsed_ns)

    locator, _ = open_cascade(engines, lambda _: Listening(2, 3))
    tracker, video = Tracker(locator), clip(picture(), 2)
    tracker.start(video[0], START)
    tracker.update(video[1])
    assert told == [1, 2]


def test_a_low_agreement_is_said(engines, caplog):
    follow(engines, "fixed:1+audit:1", 13)
    overlaps = [message for message in caplog.messages if "do not fit this scene" in message]
    assert len(overlaps) <= 1
    locator, _ = open_cascade(engines, lambda card: Fixed(1, 3))
    audit = locator._audit
    audit.every = 1
    audit.reset()
    decoder = Decoder(locator.card, locator.card.search)
    far, near = (decoder.best(*maps(seed), 60, 50) for seed in (0, 1))
    for _ in range(10):
        audit.compare(far, near)
    assert "do not fit this scene" in caplog.text


def maps(seed):
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal((10, 25, 25)).astype(np.float32) * 9,
        rng.standard_normal((20, 25, 25)).astype(np.float32),
    )


def test_a_model_without_exits_takes_no_policy(tiny_engines):
    with pytest.raises(UsageError, match="without exits"):
        Tracker.open(tiny_engines, policy="fixed:1")


def test_the_host_locator_refuses_nothing_of_a_cascade(engines):
    card = ModelCard.load(engines)
    tracker = Tracker(HostLocator(OnnxMatcher(engines, card, threads=1)))
    tracker.start(picture(), START)
    assert isinstance(tracker.update(picture()).box, BoundingBox)


def test_nothing_is_stepped_before_a_frame_is_begun(engines):
    matcher = OnnxMatcher(engines, ModelCard.load(engines), threads=1)
    with pytest.raises(InferenceError, match="call begin first"):
        matcher.advance(1)


def tuned_file(folder, path, **changes):
    fields = {
        "engines": Manifest.load(folder, stage="engines").files,
        "score": "peak",
        "points": {"0.0": [0.0, 0.0], "0.5": [0.9, 0.5], "1.0": [1.0, 1.0]},
        "default": "1.0",
        "stage_p99_ns": [3_000_000, 1_000_000, 1_000_000],
        "sequences": {},
        "figures": {},
    }
    TUNED.save(path, {**fields, **changes})
    return path


def test_tuned_points_are_taken_by_name(engines, tmp_path):
    path = tuned_file(engines, tmp_path / "policy.json")
    assert boxes(follow(engines, f"tuned:{path}:0.0")) == boxes(follow(engines, "fixed:1"))
    assert boxes(follow(engines, f"tuned:{path}")) == boxes(follow(engines, "fixed:3"))
    with pytest.raises(UsageError, match=r"no point '0\.7'"):
        follow(engines, f"tuned:{path}:0.7")


def test_the_files_of_a_policy():
    text = "tuned:a:b/policy.json:0.5+hysteresis:0.7,0.5,3+deadline:20:slow.json"
    assert files_of(text) == [("tuned", Path("a:b/policy.json")), ("deadline", Path("slow.json"))]
    assert files_of("tuned:policy.json+audit:3") == [("tuned", Path("policy.json"))]
    assert files_of("replay:boxes.jsonl") == [("replay", Path("boxes.jsonl"))]
    assert files_of("threshold:0.5:gate") == []


def test_thresholds_of_other_engines_are_refused(engines, tmp_path):
    path = tuned_file(engines, tmp_path / "policy.json", engines={"xcorr_1.onnx": "0"})
    with pytest.raises(ArtifactError, match=r"chosen for other engines.*\n.*benchmarks exits tune"):
        follow(engines, f"tuned:{path}:0.0")


def test_a_deadline_below_the_first_stage_is_refused(engines, tmp_path):
    path = tuned_file(engines, tmp_path / "policy.json")
    with pytest.raises(UsageError, match=r"2\.0 ms is shorter than the first stage takes, 3\.0 ms"):
        follow(engines, f"fixed:3+deadline:2:{path}")
    assert len(follow(engines, f"fixed:3+deadline:2000:{path}", 4)) == 3


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ("always", "unknown policy 'always'"),
        ("fixed:4", "no exit 4"),
        ("fixed", "not a policy"),
        ("fixed:x", "not a policy"),
        ("random:0:0.5,0.5", "not 3 shares"),
        ("threshold:0.5:iou", "no score 'iou'"),
        ("fixed:3+energy:1,2:2:9", "2 energies for 3 exits"),
        ("fixed:1+hysteresis:0.2,0.5,3", "up >= down"),
        ("fixed:1+audit:x", "not a policy"),
    ],
)
def test_a_policy_that_is_none_is_refused(engines, policy, complaint):
    with pytest.raises(UsageError, match=complaint):
        Tracker.open(engines, policy=policy)
