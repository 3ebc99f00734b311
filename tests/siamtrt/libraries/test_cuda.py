from __future__ import annotations

import ctypes

import pytest

from siamtrt import InferenceError, MissingDependencyError
from siamtrt.libraries import cuda
from tests.doubles.tensorrt.cudart import Cudart


def test_what_the_gpu_is():
    assert cuda.compute_capability(Cudart()) == "7.2"
    assert cuda.shares_memory(Cudart(integrated=True))
    assert not cuda.shares_memory(Cudart(integrated=False))


def test_a_failed_call_says_what_was_being_done():
    with pytest.raises(InferenceError, match=r"while cropping: unknown error \(error 999\)\n.*start the program anew"):
        cuda.check(Cudart(), 999, "cropping")
    with pytest.raises(InferenceError, match=r"out of memory[^\n]*\n.*free -m"):
        cuda.check(Cudart(), 2, "allocating")
    with pytest.raises(InferenceError, match=r"no kernel image[^\n]*\n.*build\.sh sm_72"):
        cuda.check(Cudart(), 209, "cropping")
    cuda.check(Cudart(), 0, "nothing")


def test_no_cuda(monkeypatch):
    def refuse(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    with pytest.raises(MissingDependencyError, match=r"libcudart\.so is not on this machine"):
        cuda.load()
