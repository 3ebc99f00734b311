from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evaluation.exits.measures import exits_at
from benchmarks.evaluation.exits.summary import open_loop
from benchmarks.evaluation.exits.table import ExitTable
from benchmarks.evaluation.exits.tune import pareto, score_ranks, stage_p99_ns, sweep, tune
from siamtrt import ArtifactError, UsageError
from tests.benchmarks.evaluation.exits.made import table


def telling(count=200, videos=4):
    """Scores that tell where depth helps: high where the first exits are as good as the last."""
    rng = np.random.default_rng(0)
    easy = rng.random((count, 2)) < [0.5, 0.8]
    last = 0.8 + 0.1 * rng.random(count)
    overlaps = np.column_stack([np.where(easy[:, 0], last, 0.3), np.where(easy[:, 1], last, 0.4), last])
    scores = np.column_stack([0.5 + 0.4 * easy[:, 0], 0.5 + 0.4 * easy[:, 1], np.full(count, 0.5)])
    scores = scores + 0.01 * rng.random(scores.shape)
    names = [f"video{index}" for index in range(videos)]
    return table(overlaps, scores, np.arange(count) * videos // count, names)


def test_the_ends_are_the_first_and_the_last_exit_and_costs_never_fall():
    tuned = tune(telling())
    assert tuned.points["0.0"] == [0.0, 0.0]
    assert tuned.points["1.0"] == [1.0, 1.0]
    assert list(tuned.points) == [f"{step / 10:.1f}" for step in range(11)]
    costs = [tuned.figures["points"][name]["cost"] for name in tuned.points]
    assert costs == sorted(costs)
    assert costs[0] == pytest.approx(0.221739, abs=1e-6)
    assert costs[-1] == 1


def test_a_telling_score_gives_up_nothing_at_the_default_point():
    tuned = tune(telling())
    default = tuned.figures["points"][tuned.default]
    assert default["cost"] < 0.6
    assert default["loss_bound"] >= -0.01
    assert tuned.figures["auc"]["peak"]["keep"] == [1.0, 1.0]


def test_a_score_that_tells_nothing_leaves_the_last_exit():
    rng = np.random.default_rng(2)
    found = telling()
    blind = table(found.overlaps, rng.random((len(found.overlaps), 3)), found.video, found.names)
    tuned = tune(blind)
    assert tuned.default == "1.0"
    assert abs(score_ranks(blind, "peak")["keep"][0] - 0.5) < 0.12


def test_the_score_that_ranks_best_is_taken_unless_another_is_asked_for():
    found, rng = telling(), np.random.default_rng(3)
    noise = rng.random(found.scores.shape)
    both = table(found.overlaps, np.concatenate([noise, found.scores], 2), found.video, found.names, ("peak", "keep"))
    assert tune(both).score == "keep"
    assert tune(both, "peak").score == "peak"
    with pytest.raises(UsageError, match="no score 'iou'"):
        tune(both, "iou")


def test_the_front_has_no_point_that_another_beats():
    front = pareto(sweep(telling(), "peak"))
    costs, overlaps = [point.cost for point in front], [point.overlap for point in front]
    assert costs == sorted(costs)
    assert overlaps == sorted(overlaps)


def test_the_figures_of_a_point_are_those_of_its_thresholds():
    found = telling()
    for point in sweep(found, "peak")[::40]:
        exits = exits_at(found.score("peak"), point.thetas)
        means = [found.shares[exits - 1][found.video == index].mean() for index in range(4)]
        assert point.cost == pytest.approx(np.mean(means))


def test_the_times_of_a_stage_leave_room_for_crop_and_decode():
    assert stage_p99_ns(telling()) == [3500, 1500, 2500]


def test_the_oracle_is_above_every_threshold():
    found = telling()
    best = open_loop(found)["oracle"][0]["overlap"]
    assert all(point.overlap <= best + 1e-12 for point in sweep(found, "peak"))


def test_a_table_is_read_back_as_it_was(tmp_path):
    found = telling()
    found.save(tmp_path / "exits.npz")
    again = ExitTable.load(tmp_path / "exits.npz")
    assert (again.engines, again.sequences, again.macs) == (found.engines, found.sequences, found.macs)
    np.testing.assert_array_equal(again.scores, found.scores)
    (tmp_path / "exits.npz").write_bytes(b"PK")
    with pytest.raises(ArtifactError, match="no table of exits"):
        ExitTable.load(tmp_path / "exits.npz")
