from __future__ import annotations

import threading
import time

import pytest

from serving.live.newest import Newest


def test_what_nobody_took_in_time_is_left_out():
    go_on = threading.Event()

    def items():
        yield 0
        go_on.wait(5)
        yield from range(1, 100)

    newest = Newest(items())
    with newest as taken:
        assert next(taken) == 0
        go_on.set()
        time.sleep(0.1)
        assert list(taken) == [99]
    assert newest.dropped == 98


def test_an_error_comes_after_the_item_before_it():
    def items():
        yield 1
        raise ValueError("the camera is gone")

    with Newest(items()) as taken:
        assert next(taken) == 1
        with pytest.raises(ValueError, match="the camera is gone"):
            next(taken)


def test_leaving_it_ends_the_thread():
    def endless():
        while True:
            time.sleep(0.001)
            yield 1

    with Newest(endless()) as taken:
        assert next(taken) == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "newest"]
