import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.entropy import LEVELS, MOST_CLIPPED
from calibration.histogram import BINS, Histogram
from siamtrt.errors import InferenceError, UsageError

FLOATS = st.floats(-(2.0**125), 2.0**125, width=32)


def histogram(*samples):
    made = Histogram()
    for sample in samples:
        made.add(np.asarray(sample, np.float32))
    return made


def plain_entropy(made):
    """The same search written as loops over bins."""
    counts = [float(c) for c in made.counts]
    counts[0] = counts[1]
    best = (math.inf, BINS)
    filled = max(b for b in range(BINS) if made.counts[b])
    for kept in range(LEVELS, filled + 2):
        if sum(counts[kept:]) > MOST_CLIPPED * sum(counts):
            continue
        p, q = counts[:kept], [0.0] * kept
        p[-1] += sum(counts[kept:])
        for level in range(LEVELS):
            bins = [b for b in range(level * kept // LEVELS, (level + 1) * kept // LEVELS) if counts[b] > 0]
            for b in bins:
                q[b] = sum(counts[b] for b in bins) / len(bins)
        if any(a > 0 and b == 0 for a, b in zip(p, q)) or not any(p):
            continue
        total_p, total_q = sum(p), sum(q)
        loss = sum(a / total_p * math.log(a / total_p * total_q / b) for a, b in zip(p, q) if a > 0)
        best = min(best, (loss, kept))
    return min(made.amax, best[1] * made.width)


NORMAL = np.random.default_rng(0).normal(size=20_000)
SAMPLES = {
    "a long tail": np.append(NORMAL, 30.0),
    "zeros of a relu": np.maximum(NORMAL, 0),
    "zeros that outvote the rest": np.append(np.zeros(10**6), NORMAL**2),
    "a gate that starts far from zero": 0.5 + 0.1 * np.tanh(NORMAL),
    "few values": NORMAL[:50] ** 3,
    "one value": [3.0],
    "two values": [0.001, 3.0],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_entropy_is_that_of_the_plain_search(name):
    made = histogram(SAMPLES[name])
    assert made.entropy() == pytest.approx(plain_entropy(made))


def test_entropy_clips_a_long_tail():
    made = histogram(SAMPLES["a long tail"])
    assert 3 < made.entropy() < 10 < made.minmax() == 30


def test_entropy_does_not_clip_all_of_a_tensor_that_starts_far_from_zero():
    """The unguarded search keeps the lowest filled bin alone: everything is then in one level, with no loss to see."""
    made = histogram(SAMPLES["a gate that starts far from zero"])
    assert made.entropy() > 0.55


def test_growth_keeps_every_count():
    made = histogram([0.0, 0.5, -1.0], [7.0], [-100.0])
    assert made.counts.sum() == 5
    assert made.minmax() == 100.0


@given(st.lists(st.lists(FLOATS, min_size=1, max_size=9), min_size=1, max_size=5))
def test_counts_are_those_of_all_values_at_once_in_any_order(samples):
    made, backwards = histogram(*samples), histogram(*samples[::-1])
    assert made.counts.tolist() == backwards.counts.tolist()
    magnitudes = np.abs(np.concatenate(samples).astype(np.float32)).astype(np.float64)
    assert made.amax == magnitudes.max()
    assert (made.lowest, made.highest) == (min(np.concatenate(samples)), max(np.concatenate(samples)))
    if made.width:
        assert made.width * BINS / 2 <= made.amax < made.width * BINS or made.width == 2.0**-120
        on_edge = magnitudes % made.width == 0
        expected = np.histogram(magnitudes[~on_edge], BINS, (0, made.width * BINS))[0]
        assert np.abs(made.counts - expected).sum() == on_edge.sum()


def test_the_magnitude_of_negative_values_counts():
    made = histogram([-1.9, -1.1, 0.1], [1.5])
    halves = made.counts.reshape(4, -1).sum(axis=1)
    assert made.width * BINS == 2.0
    assert halves.tolist() == [1, 0, 1, 2]


def test_more_values_than_float32_can_count_are_counted_one_by_one(monkeypatch):
    monkeypatch.setattr("calibration.histogram._EXACT", 1000)
    made = histogram(np.full(2_500, 1.0), np.full(2_500, -0.5))
    assert made.counts.sum() == 5_000
    assert made.counts.max() == 2_500


def test_percentile_leaves_the_outlier_out():
    made = histogram(np.linspace(0, 1, 9_999), [8.0])
    assert made.percentile(0.999) == pytest.approx(1.0, abs=0.01)
    assert made.percentile(1.0) == 8.0


def test_percentile_is_the_upper_edge_of_the_bin_it_reaches():
    made = histogram(np.full(99, 0.3), [8.0])
    edge = (math.floor(0.3 / made.width) + 1) * made.width
    assert made.percentile(0.9) == edge > 0.3
    assert made.percentile(0.99) == edge
    assert made.percentile(0.991) == 8.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(InferenceError, match="NaN or infinite"):
        histogram([1.0, value])


def test_all_black_has_no_range():
    with pytest.raises(UsageError, match="zero in every sample"):
        histogram(np.zeros(10)).entropy()


def test_a_share_beyond_one_is_refused():
    with pytest.raises(UsageError, match="not in"):
        histogram([1.0]).percentile(99.99)
