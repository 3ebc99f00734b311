"""The reset-based protocol through TraX, as the VOT toolkit drives it, gives what our own runner gives."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.evaluation.trackers import OurTracker
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import FAILED, STARTED
from benchmarks.evaluation.vot.run import follow
from sequences.annotated import load_sequence
from sequences.rendered.command import write_clip
from siamtrt import BoundingBox

ROOT = Path(__file__).parents[4]


class TraxTracker:
    """Follows through a child that speaks TraX; regions and images go as the toolkit sends them."""

    def __init__(self, engines, sequence, scratch):
        command = [sys.executable, "-m", "runtime", "--quiet", "trax", "--engines", str(engines), "--threads", "1"]
        self.child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.child.stdout.readline().startswith(b"@@TRAX:hello ")
        self._sequence, self._scratch, self._starts = sequence, scratch, 0

    def start(self, frame, box):
        index = next(i for i in range(len(self._sequence)) if np.array_equal(self._sequence.frame(i), frame))
        region = ",".join(f"{value:.4f}" for value in self._sequence.regions[index])
        again = "@@TRAX:initialize \n" if self._starts else ""
        self._starts += 1
        self._ask(f'{again}@@TRAX:initialize "{region}" \n{self._frame(frame)}')

    def update(self, frame):
        return self._ask(self._frame(frame))

    def _frame(self, frame):
        path = self._scratch / "frame.png"
        cv2.imwrite(str(path), frame)
        return f'@@TRAX:frame "file://{path}" \n'

    def _ask(self, text):
        self.child.stdin.write(text.encode())
        self.child.stdin.flush()
        answer = self.child.stdout.readline().decode()
        assert answer.startswith('@@TRAX:state "')
        return BoundingBox(*map(float, answer.split('"')[1].split(",")))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    write_clip(folder, 3, 30)
    return load_sequence(folder)


@pytest.mark.parametrize("corners", [False, True], ids=["boxes", "corners"])
def test_the_protocol_through_trax_equals_our_runner(clip, tiny_engines, tmp_path, corners):
    turned = tuple((x + 2, y, x + w, y + 1, x + w - 2, y + h, x, y + h - 1) for x, y, w, h in clip.regions)
    sequence = replace(clip, regions=turned) if corners else clip
    protocol = Protocol.load("vot2018")
    wanted = follow(OurTracker(tiny_engines, 1), sequence, protocol).entries
    through = TraxTracker(tiny_engines, sequence, tmp_path)
    with through.child as child:
        found = follow(through, sequence, protocol).entries
        child.stdin.write(b"@@TRAX:quit\n")
        child.stdin.close()
        assert child.wait(10) == 0
    assert wanted.count(FAILED) >= 1
    assert wanted.count(STARTED) >= 2
    assert [numbers(entry) for entry in found] == [pytest.approx(numbers(entry), abs=1e-3) for entry in wanted]


def numbers(entry):
    """A code as it is, a box as its four numbers."""
    return (entry,) if isinstance(entry, int) else astuple(entry)
