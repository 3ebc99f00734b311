"""The page in a browser, by mouse."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="needs the packages of requirements/web.txt")
from tests.doubles.browser import PROGRAMS, Browser, program

if program() is None:
    pytest.skip(f"needs a browser: one of {', '.join(PROGRAMS)}", allow_module_level=True)

from runtime.crop import crop
from tests.runtime.stub import StubMatcher, long_term_card, maps_with_score, tracker_of
from tests.serving.web.served import Memory, serving

ROOT = Path(__file__).parents[3]
SIZE, SIDE = (320, 240), 40
SHIFT = 8  # of the DevTools protocol's modifiers


class SeesWhite(StubMatcher):
    """Finds its target where it was, for as long as the middle of the crop is white, and says when it has lost it."""

    def __init__(self):
        super().__init__(long_term_card())

    def match(self, frame, square, fill):
        middle = crop(frame, square, fill)[square.out_px // 2, square.out_px // 2]
        self._respond = functools.partial(maps_with_score, score=0.999 if middle.min() > 200 else 0.1)
        return super().match(frame, square, fill)


@pytest.fixture
def stub_page(tmp_path):
    """A page of a video whose white square is gone from frame 40 on."""

    def frame(number):
        picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        if number < 40:
            picture[100 : 100 + SIDE, 40 : 40 + SIDE] = 255
        return picture

    def video():
        return Memory([frame(number) for number in range(300)], count=300, fps=30.0)

    def open_trackers(count):
        return [tracker_of(SeesWhite()) for _ in range(count)]

    with serving(tmp_path, video, open_trackers=open_trackers, frames=300) as server, Browser(
        tmp_path / "profile"
    ) as browser:
        browser.open(server.url)
        browser.wait("document.getElementById('frame').textContent === '1 of 300'")
        yield browser
        assert browser.errors == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    rng = np.random.default_rng(3)
    for number in range(400):
        cv2.imwrite(str(folder / f"{number:03}.jpg"), rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8))
    return folder


@pytest.fixture
def server(tiny_engines, clip, tmp_path):
    """A running command; its first line is the page's address."""
    words = ["--engines", str(tiny_engines), "--source", str(clip), "--port", "0", "--threads", "1"]
    command = [sys.executable, "-m", "serving", "web", *words, "--out", str(tmp_path / "recordings")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def page(server, tmp_path):
    with Browser(tmp_path / "profile") as browser:
        browser.open(server.stdout.readline().strip())
        browser.wait("document.getElementById('frame').textContent.startsWith('1 of 400')")
        yield browser
        assert browser.errors == []


def text(page, selector):
    return page.value(f"document.querySelector({selector!r}).textContent")


def draw(page, box, modifiers=0):
    """Draw a box that is given in pixels of the video."""
    left, top, width = page.value(
        "(({x, y, width}) => [x, y, width])(document.getElementById('picture').getBoundingClientRect())"
    )
    scale = width / SIZE[0]
    x, y, wide, high = box
    page.drag((left + x * scale, top + y * scale), (left + (x + wide) * scale, top + (y + high) * scale), modifiers)


def test_a_target_is_drawn_followed_lost_and_drawn_again(stub_page, tmp_path):
    assert text(stub_page, "#precision") == "fp32"
    assert text(stub_page, "#hint") == "Draw a box around an object"
    draw(stub_page, (40, 100, SIDE, SIDE))  # which starts the video
    stub_page.wait("document.querySelector('#targets .what')?.textContent === '1: score 0.999'")
    stub_page.wait("parseFloat(document.getElementById('cost').textContent) > 0")
    stub_page.screenshot(tmp_path / "followed.png")
    stub_page.wait("document.querySelector('#targets .what').textContent === '1: lost, score 0.100'")
    stub_page.wait("parseFloat(document.getElementById('rate').textContent) > 5")
    stub_page.screenshot(tmp_path / "lost.png")
    stub_page.click("#again")
    stub_page.wait("document.getElementById('frame').textContent === '1 of 300'")
    draw(stub_page, (40, 100, SIDE, SIDE))
    stub_page.wait("document.querySelector('#targets .what')?.textContent === '2: score 0.999'")
    assert stub_page.value("document.querySelectorAll('#targets li').length") == 1


def test_several_targets_are_drawn_forgotten_recorded_and_downloaded(page):
    draw(page, (40, 100, SIDE, SIDE), SHIFT)
    draw(page, (150, 20, 60, 60), SHIFT)
    page.wait("document.querySelectorAll('#targets li').length === 2")
    assert text(page, "#frame") == "1 of 400"  # it waits for more
    page.click("#record")
    page.wait("document.getElementById('record').textContent.startsWith('Stop')")
    page.click("#pause")  # play
    page.wait("parseInt(document.getElementById('frame').textContent) > 10")
    page.click("#targets li:first-child button")
    page.wait("document.getElementById('targets').textContent.startsWith('2:')")
    page.click("#record")
    page.wait("document.getElementById('record').textContent === 'Record'")
    with urllib.request.urlopen(page.value("document.getElementById('download').href")) as answer:
        lines = [json.loads(line) for line in answer.read().splitlines()]
    of_first, of_second = ([line["frame"] for line in lines if line["target"] == number] for number in (1, 2))
    assert of_first == list(range(1, len(of_first) + 1))
    assert of_second[: len(of_first)] == of_first
    assert of_second[-1] >= of_first[-1]
    page.click("#forget")
    page.wait("document.getElementById('targets').textContent === ''")


def test_a_video_is_held_while_a_box_is_drawn_and_played_on_after(page):
    page.click("#pause")
    page.wait("parseInt(document.getElementById('frame').textContent) > 3")
    area = "(({x, y}) => [x, y])(document.getElementById('picture').getBoundingClientRect())"
    left, top = page.value(area)
    page.mouse("mousePressed", (left + 50, top + 50))
    page.wait("document.getElementById('pause').textContent === 'Play'")
    page.mouse("mouseReleased", (left + 51, top + 51))  # a click is no box
    page.wait("document.getElementById('pause').textContent === 'Pause'")
    assert text(page, "#targets") == ""


def test_ctrl_c_ends_the_server_in_good_order_and_the_page_says_so(page, server):
    server.send_signal(signal.SIGINT)
    _, errors = server.communicate(timeout=30)
    assert (server.returncode, "Traceback" in errors) == (130, False), errors
    page.wait("document.getElementById('connection').textContent.startsWith('the server is gone')")
    page.errors.clear()  # that it cannot be reached
