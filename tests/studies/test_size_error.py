from __future__ import annotations

import numpy as np
import pytest

from networks.models import spec
from siamtrt import BoundingBox
from studies.size_error import _pair
from training.sources import Labelled


@pytest.mark.parametrize("factor", [0.85, 1.18])
def test_a_square_cut_too_large_shows_the_object_that_much_smaller(factor):
    view = Labelled(np.zeros((400, 400, 3), np.uint8), BoundingBox(170, 180, 60, 40))
    model = spec("siamrpn_nano")
    right, wrong = _pair(view, view, model, 1.0), _pair(view, view, model, factor)
    assert wrong.box.width * factor == pytest.approx(right.box.width)
    assert wrong.box.height * factor == pytest.approx(right.box.height)
    assert wrong.box.center == pytest.approx((127.5, 127.5))
    np.testing.assert_array_equal(wrong.template, right.template)
