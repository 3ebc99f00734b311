from __future__ import annotations

import numpy as np

from siamtrt import TensorSpec

SPEC = TensorSpec("search", (1, 3, 4, 4))


def test_a_fitting_array_has_no_mismatch():
    assert SPEC.mismatch(np.zeros((1, 3, 4, 4), np.float32)) is None
    assert SPEC.size_bytes == 192


def test_a_mismatch_names_the_tensor_and_both_sides():
    assert SPEC.mismatch(np.zeros((1, 3, 4, 5), np.float32)) == (
        "tensor 'search': expected shape (1, 3, 4, 4), got (1, 3, 4, 5)"
    )
    assert SPEC.mismatch(np.zeros((1, 3, 4, 4), np.float64)) == "tensor 'search': expected dtype float32, got float64"
