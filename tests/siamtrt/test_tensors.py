from __future__ import annotations

from siamtrt import TensorSpec


def test_bytes_are_those_of_shape_and_type():
    assert TensorSpec("search", (1, 3, 4, 4)).size_bytes == 192
    assert TensorSpec("search", (1, 3, 4, 4), "uint8").size_bytes == 48
