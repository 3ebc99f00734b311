from __future__ import annotations

import pytest

from siamtrt.libraries.onnxruntime import open_session


@pytest.mark.parametrize("threads", [1, 3])
def test_a_session_gets_the_threads_it_was_given(tiny_onnx, threads):
    options = open_session(tiny_onnx / "search.onnx", threads=threads).get_session_options()
    assert options.intra_op_num_threads == threads
