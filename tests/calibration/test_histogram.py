import math

import numpy as np
import pytest

from calibration.entropy import LEVELS
from calibration.histogram import BINS, Histogram
from siamtrt.errors import InferenceError, UsageError


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
    for kept in range(LEVELS, BINS + 1, 1):
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


def test_a_long_tail_is_clipped_as_the_plain_search_clips_it():
    values = np.random.default_rng(0).normal(size=40_000)
    made = histogram(np.append(values, 30.0))
    assert made.entropy() == pytest.approx(plain_entropy(made))
    assert made.entropy() < 10 < made.minmax()


def test_growth_keeps_every_count():
    made = histogram([0.0, 0.5, -1.0], [7.0], [-100.0])
    assert made.counts.sum() == 5
    assert made.minmax() == 100.0


def test_percentile_leaves_the_outlier_out():
    made = histogram(np.linspace(0, 1, 9_999), [8.0])
    assert made.percentile(0.999) == pytest.approx(1.0, abs=0.01)
    assert made.percentile(1.0) == 8.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(InferenceError, match="NaN or infinite"):
        histogram([1.0, value])


def test_all_black_has_no_range():
    with pytest.raises(UsageError, match="zero in every sample"):
        histogram(np.zeros(10)).entropy()


def test_a_share_beyond_one_is_refused():
    with pytest.raises(UsageError, match="not in"):
        histogram([1.0]).percentile(99.99)
