"""The golden values were computed once with numpy in float64, from the formulas alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.policies.limits import Deadline, EnergyBucket, Hysteresis
from runtime.policies.plain import Fixed, Random, Replay, Threshold
from runtime.policies.policy import budgeted, conditional, cumulative, exceeds, meets
from siamtrt import UsageError

GATES = (0.2, 0.5, 0.7, 0.4)


def exit_of(policy, rows):
    """The exit that a policy takes of these scores, one row an exit but the last."""
    start = policy.start_depth()
    for number, scores in enumerate([*rows, {}], start=1):
        halts = number > len(rows) or policy.halts(number, scores, 0)
        if halts and number >= start:
            policy.observe(number, scores or rows[-1])
            return number
    raise AssertionError


def gates(values):
    return [{"gate": value} for value in values]


@pytest.mark.parametrize("value", [0.0, 0.3, 0.6, 1.0, math.nan])
def test_the_ends_of_the_rule_do_not_look_at_the_value(value):
    for rule in (meets, exceeds):
        assert rule(value, 0.0)
        assert rule(value, -1.0)
        assert not rule(value, 1.0)
        assert not rule(value, 1.5)


def test_the_rule_in_between():
    assert meets(0.6, 0.6)
    assert not exceeds(0.6, 0.6)
    assert exceeds(0.61, 0.6)
    assert not meets(0.59, 0.6)
    assert not meets(math.nan, 0.5)
    assert not exceeds(math.nan, 0.5)


def test_gates_become_shares_and_their_sums():
    survived, shares, sums = 1.0, [], []
    for gate in GATES:
        shares.append(budgeted(survived, gate))
        sums.append(cumulative(survived, gate))
        survived *= 1 - gate
    np.testing.assert_allclose([*shares, survived], [0.2, 0.4, 0.28, 0.048, 0.072], atol=1e-12)
    np.testing.assert_allclose(sums, [0.2, 0.6, 0.88, 0.928], atol=1e-12)


@pytest.mark.parametrize(
    ("value", "strict", "expected"),
    [
        (budgeted, True, [1, 2, 5, 5, 5]),
        (cumulative, False, [1, 2, 2, 3, 5]),
        (conditional, False, [1, 2, 2, 5, 5]),
        (conditional, True, [1, 2, 3, 5, 5]),
    ],
)
def test_exits_of_the_gates_at_thresholds(value, strict, expected):
    """The budgeted score of the paper never stops at a middle exit from 0.5 on."""
    thetas = (0, 0.25, 0.5, 0.75, 1)
    policies = [Threshold("gate", [theta] * 4, value, strict=strict) for theta in thetas]
    assert [exit_of(policy, gates(GATES)) for policy in policies] == expected


def test_gates_of_one_frame_say_nothing_of_the_next():
    policy = Threshold("gate", [0.5] * 4, cumulative)
    assert [exit_of(policy, gates(GATES)) for _ in range(3)] == [2, 2, 2]


@pytest.mark.parametrize(
    "limited",
    [
        lambda policy: policy,
        lambda policy: Deadline(policy, 1000, [1] * 5),
        lambda policy: EnergyBucket(policy, [1, 2, 3, 4, 5], 5, 5),
    ],
)
def test_gates_of_exits_that_a_frame_starts_behind_count(limited):
    inner = Hysteresis(Threshold("gate", [0.65] * 4, cumulative), 0.75, 0.5, 3, 5)
    policy = limited(inner)
    for _ in range(2):
        inner.observe(1, {"peak": 0.1})
    rows = [{"gate": gate, "peak": 0.6} for gate in (0.4, 0.4, 0.1, 0.1)]
    assert exit_of(policy, rows) == 3  # 1 - 0.6 * 0.6 * 0.9 is 0.676


def test_hysteresis_goes_deeper_at_once_and_back_after_calm_frames():
    scores = [0.9, 0.4, 0.3, 0.8, 0.9, 0.95, 0.9, 0.6, 0.9, 0.9, 0.9]
    policy = Hysteresis(Fixed(1, 3), 0.75, 0.5, 3, 3)
    depths = []
    for score in scores:
        depths.append(policy.start_depth())
        policy.observe(depths[-1], {"peak": score})
    assert depths == [1, 1, 2, 3, 3, 3, 2, 2, 2, 2, 2]


def test_frames_after_a_start_and_after_no_answer_run_to_the_last_exit():
    policy = Hysteresis(Fixed(1, 3), 0.75, 0.5, 3, 3, settle=2)
    depths = []
    for score in [0.9, 0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9]:
        depths.append(policy.start_depth())
        policy.observe(depths[-1], {"peak": score})
    assert depths[:5] == [3, 3, 1, 1, 1]
    assert depths[5:7] == [3, 3]


def test_the_bucket_limits_the_exit():
    policy = EnergyBucket(Replay([3, 3, 3, 3, 1, 1, 3, 2], 3), [10, 22, 45], 20, 60)
    rows, left = [{"peak": 0.5}] * 2, []
    exits = []
    for _ in range(8):
        exits.append(exit_of(policy, rows))
        left.append(policy.left_mj)
    assert exits == [3, 2, 2, 2, 1, 1, 3, 2]
    np.testing.assert_allclose(left, [15, 13, 11, 9, 19, 29, 4, 2])


@pytest.mark.parametrize("seed", range(5))
def test_the_bucket_never_spends_more_than_came_in(seed):
    rng = np.random.default_rng(seed)
    wanted = rng.integers(1, 4, 200).tolist()
    energy, refill, cap = [10, 22, 45], 14, 60
    policy = EnergyBucket(Replay(wanted, 3), energy, refill, cap)
    spent = [energy[exit_of(policy, [{"peak": 0.5}] * 2) - 1] for _ in wanted]
    for start in range(0, 200, 17):
        for length in (1, 5, 40):
            assert sum(spent[start : start + length]) <= cap + length * refill


def test_less_than_the_first_exit_takes_is_no_refill():
    with pytest.raises(UsageError, match="the first not above what comes in"):
        EnergyBucket(Fixed(1, 3), [10, 22, 45], 9, 60)


def test_no_stage_is_begun_that_would_end_too_late():
    policy = Deadline(Fixed(3, 3), 10, [4, 4, 4])
    assert policy.start_depth() == 1
    assert not policy.halts(1, {}, 5)
    assert policy.halts(2, {}, 7)
    policy.start_depth()
    assert policy.halts(1, {}, 12)


def test_a_policy_within_a_deadline_stops_where_it_would():
    policy = Deadline(Threshold("peak", [0.5, 0.5]), 1000, [4, 4, 4])
    policy.start_depth()
    assert policy.halts(1, {"peak": 0.6}, 5)
    policy.start_depth()
    assert not policy.halts(1, {"peak": 0.4}, 5)


def test_random_exits_have_the_mix_and_repeat():
    mix = (0.5, 0.3, 0.2)
    policy = Random(3, mix, 3)
    drawn = [policy.start_depth() for _ in range(20_000)]
    shares = np.bincount(drawn, minlength=4)[1:] / len(drawn)
    np.testing.assert_allclose(shares, mix, atol=0.01)
    policy.reset()
    assert [policy.start_depth() for _ in range(50)] == drawn[:50]


def test_ten_random_runs_of_a_short_video_have_the_mix_to_a_point():
    mix = (0.47, 0.36, 0.17)
    policies = [Random(seed, mix, 3) for seed in range(10)]
    drawn = [policy.start_depth() for policy in policies for _ in range(59)]
    np.testing.assert_allclose(np.bincount(drawn, minlength=4)[1:] / len(drawn), mix, atol=0.01)


def test_a_random_mix_of_fixed_exits_costs_and_tracks_as_arithmetic_says():
    overlaps, shares, mix = (0.55, 0.66, 0.73), (0.221739, 0.488983, 1.0), (0.5, 0.3, 0.2)
    assert np.dot(overlaps, mix) == pytest.approx(0.619, abs=1e-6)
    assert np.dot(shares, mix) == pytest.approx(0.457564, abs=1e-6)


def test_a_replay_beyond_its_run_is_refused():
    policy = Replay([1], 3)
    policy.start_depth()
    with pytest.raises(UsageError, match="ends after 1 frames"):
        policy.start_depth()
    with pytest.raises(UsageError, match="exits from 1 to 3"):
        Replay([4], 3)
