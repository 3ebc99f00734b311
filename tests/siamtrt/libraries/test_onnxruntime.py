from __future__ import annotations

import pytest

from siamtrt.environment import cores
from siamtrt.libraries.onnxruntime import open_session


@pytest.mark.parametrize("threads", [1, 3])
def test_a_session_gets_the_threads_it_was_given(tiny_onnx, threads):
    options = open_session(tiny_onnx / "search.onnx", threads=threads).get_session_options()
    assert options.intra_op_num_threads == threads


def test_a_session_takes_a_thread_a_core_by_default_and_its_idle_threads_sleep(tiny_onnx):
    options = open_session(tiny_onnx / "search.onnx").get_session_options()
    assert options.intra_op_num_threads == cores() >= 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
