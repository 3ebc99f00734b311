import numpy as np
import pytest

from calibration.histogram import BINS, Histogram
from calibration.methods import DEAD_AMAX, DEFAULT, PERCENTILE_SHARE, draw, parse
from siamtrt import GraphCard, InferenceError, TensorSpec, UsageError
from siamtrt.ranges import TensorRange


def histogram(*values):
    made = Histogram()
    made.add(np.concatenate([np.asarray(part, np.float32).ravel() for part in values]))
    return made


def one_range(method, *values):
    return drawn({"x": histogram(*values)}, method).tensors["x"]


def drawn(histograms, method="minmax", outputs=()):
    card = GraphCard("xcorr", (), tuple(TensorSpec(name, (1,)) for name in outputs), "xcorr")
    return draw(histograms, method, card, "0" * 64)


def test_one_method_for_all_or_one_a_graph():
    assert parse("entropy") == {"target": "entropy", "search": "entropy", "xcorr": "entropy"}
    mixed = {"target": "minmax", "search": "entropy", "xcorr": "percentile"}
    assert parse("target=minmax,search=entropy,xcorr=percentile") == mixed
    assert set(parse(DEFAULT)) == {"target", "search", "xcorr"}


@pytest.mark.parametrize("text", ["", "mean", "target=minmax", "target=minmax,target=minmax,xcorr=minmax", "a=minmax"])
def test_other_words_are_refused(text):
    with pytest.raises(UsageError):
        parse(text)


def test_minmax_keeps_the_signed_extremes():
    assert one_range("minmax", [-2.0, 5.0]) == TensorRange(-2.0, 5.0, 5.0, "minmax")


def test_zero_is_always_within():
    assert one_range("minmax", [3.0, 5.0]) == TensorRange(0.0, 5.0, 5.0, "minmax")
    assert one_range("minmax", [-3.0, -5.0]) == TensorRange(-5.0, 0.0, 5.0, "minmax")


def test_a_clipping_method_clips_both_ends_at_its_amax():
    body = np.random.default_rng(0).normal(size=50_000)
    for method in ("percentile", "entropy"):
        clipped = one_range(method, body, [40.0, -0.5])
        assert 3 < clipped.amax < 10
        assert clipped.high == clipped.amax
        assert -clipped.amax <= clipped.low == pytest.approx(max(body.min(), -clipped.amax))
        assert clipped.method == method


def test_percentile_takes_its_share():
    values = np.linspace(0, 1, 1_000_001)
    amax = one_range("percentile", values, np.full(99, 50.0)).amax
    assert PERCENTILE_SHARE == 0.9999
    assert 1.0 <= amax < 1.0 + 64 / BINS  # one bin of those that hold 50


def test_a_dead_tensor_gets_a_tiny_range_and_a_warning(caplog):
    ranges = drawn({"dead": histogram([0.0, 0.0]), "alive": histogram([1.0])}, "entropy")
    assert ranges.tensors["dead"] == TensorRange(0.0, DEAD_AMAX, DEAD_AMAX, "entropy")
    assert ranges.tensors["alive"].amax == 1.0
    assert np.float16(DEAD_AMAX / 127) >= np.finfo(np.float16).tiny
    assert "1 tensors are zero in every sample" in caplog.text
    assert "dead" in caplog.text


def test_an_output_that_is_always_zero_is_refused():
    with pytest.raises(InferenceError, match=r"cls, an output of xcorr\.onnx, is zero in every sample"):
        drawn({"cls": histogram([0.0]), "loc": histogram([1.0])}, outputs=("loc", "cls"))
