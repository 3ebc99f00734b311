"""The board check on the double: every question answered, and every question refused on purpose."""

from __future__ import annotations

import contextlib
import json
import shutil
from argparse import Namespace

import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.commands import board_check
from benchmarks.trials.board import check, questions
from benchmarks.trials.board.questions import Board
from engines.__main__ import arguments
from engines.__main__ import main as build_engines
from runtime.tensorrt import compiled
from sequences.rendered.command import write_clip
from siamtrt import MissingDependencyError, cli
from tests.calibrated import write_calibration
from tests.tiny import write_tiny_model

SENTENCES = (
    "are the libraries here",
    "is there room",
    "fixed clocks",
    "CUDA kernels compiled",
    "does FP16 build",
    "does INT8 build",
    "search graph in INT8",
    "does a refit",
    "can a frame be captured",
    "that of the host",
    "those of ONNX Runtime",
    "mapped frame faster",
    "frame in NV12",
    "features in half precision",
    "kernels as inputs",
    "crop and decode",
    "tests of the GPU",
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "clip"
    write_clip(folder, 7, 6)
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs") / "onnx"
    write_tiny_model(folder, kernel_inputs=True)
    return folder


@pytest.fixture(scope="module")
def ranges(tmp_path_factory, tiny_onnx):
    return write_calibration(tmp_path_factory.mktemp("calibration") / "calibration", tiny_onnx)


def in_process(words, log):
    """As a child runs a command, but where the doubles are."""
    stage, *rest = map(str, words)
    log.parent.mkdir(parents=True, exist_ok=True)
    if stage != "engines":
        return None
    with log.open("w") as stream, contextlib.redirect_stderr(stream), contextlib.redirect_stdout(stream):
        code = cli.run(build_engines, arguments(), rest)
    return log.read_text().rpartition("error: ")[2] if code else None


@pytest.fixture
def fixed(tmp_path):
    """A root whose GPU runs at one clock."""
    device = tmp_path / "root" / "sys" / "class" / "devfreq" / "17000000.gv11b"
    device.mkdir(parents=True)
    for name in ("cur_freq", "min_freq", "max_freq"):
        (device / name).write_text("1377000000\n")
    return tmp_path / "root"


@pytest.fixture
def ask(board, tiny_onnx, inputs, ranges, clip, fixed, tmp_path, monkeypatch):
    monkeypatch.setattr(questions, "_LEAST_OVERLAP", 0.5)  # random weights: FP16 alone makes them take other cells

    def start(*, run=in_process, ranges=ranges, inputs=inputs, **quirks):
        double = board(**quirks)
        asked = Board(tiny_onnx, inputs, ranges, clip, tmp_path / "out", 6, run, fixed)
        answers = check.ask(questions.questions(asked), tmp_path / "out", {"machine": "double"})
        return double, answers

    return start


def verdicts(answers):
    return {answer.question: (answer.verdict, answer.text) for answer in answers}


def of(answers, part):
    return next(answer for question, answer in answers.items() if part in question)


def test_every_question_has_an_answer_on_the_double(ask, tmp_path):
    _, answers = ask()
    answers = list(answers)
    told = verdicts(answers)
    assert {verdict for verdict, _ in told.values()} == {"yes"}, told
    assert all(part in question for part, question in zip(SENTENCES, told))
    assert len(told) == len(SENTENCES)
    assert "TensorRT 8.5.2.2" in of(told, "libraries")[1]
    assert of(told, "INT8 build")[1].startswith("the cache was taken")
    check.write(answers, tmp_path / "out", "board-check")
    document = json.loads((tmp_path / "out" / check.DOCUMENT).read_text())
    assert [answer["question"] for answer in document["answers"]] == list(told)
    assert "ONNX Runtime" in (tmp_path / "out" / check.PAGE).read_text()


def test_what_was_answered_is_not_asked_again(ask):
    _, first = ask()
    list(first)
    double, second = ask(build_fails=True)
    assert {answer.verdict for answer in second} == {"yes"}
    assert double.trt.log_of_builds == []


def test_an_interrupted_check_goes_on(ask):
    _, first = ask()
    for answer in first:
        if "FP16" in answer.question:
            break
    double, second = ask()
    assert {answer.verdict for answer in second} == {"yes"}
    assert [built["flags"][:2] for built in double.trt.log_of_builds[:2]] == [
        ["FP16"],
        ["FP16", "INT8"],
    ]


def test_ranges_that_the_cache_does_not_bring_are_told(ask):
    _, answers = ask(takes_no_cache=True)
    assert of(verdicts(answers), "does INT8 build")[1].startswith("ranges were given tensor by tensor")


def test_what_was_not_given_is_skipped_with_the_reason(ask):
    _, answers = ask(ranges=None, inputs=None)
    told = verdicts(answers)
    assert of(told, "does INT8 build") == ("skipped", "no calibration was named: RANGES=folder")
    assert of(told, "search graph in INT8") == ("skipped", "there are no int8 engines")
    assert of(told, "kernels as inputs")[0] == "skipped"


def no_kernels():
    raise MissingDependencyError("the CUDA kernels cannot be loaded", hint="build.sh")


def clocks_free(fixed):
    (fixed / "sys/class/devfreq/17000000.gv11b/min_freq").write_text("114750000\n")


@pytest.mark.parametrize(
    ("part", "quirks"),
    [
        ("does FP16 build", {"build_fails": True}),
        ("does INT8 build", {"no_kernel": [("stemmed", "INT8")]}),
        ("search graph in INT8", {}),
        ("does a refit", {"bad_refit": "stale"}),
        ("can a frame be captured", {}),
        ("that of the host", {}),
        ("those of ONNX Runtime", {}),
        ("mapped frame faster", {"bad_refit": "stale"}),
        ("frame in NV12", {}),
        ("features in half precision", {}),
        ("kernels as inputs", {}),
        ("crop and decode", {}),
        ("tests of the GPU", {}),
        ("are the libraries here", {}),
        ("is there room", {}),
        ("fixed clocks", {}),
        ("CUDA kernels compiled", {}),
    ],
)
def test_each_question_can_be_answered_with_no(ask, fixed, monkeypatch, part, quirks):
    def refuse(words, log):
        hits = {"crop and decode": "kernels", "tests of the GPU": "pytest", "kernels as inputs": "fp16-inputs"}
        hits["features in half precision"] = "hwc8"
        hit = hits.get(part)
        return "it broke" if hit and hit in " ".join(map(str, words)) else in_process(words, log)

    double, answers = ask(run=refuse, **quirks)
    if part == "are the libraries here":
        monkeypatch.setitem(__import__("sys").modules, "tensorrt", None)
    elif part == "is there room":
        monkeypatch.setattr(questions, "_LEAST_FREE_GB", 1e9)
    elif part == "fixed clocks":
        clocks_free(fixed)
    elif part == "CUDA kernels compiled":
        monkeypatch.setattr(compiled, "load_kernels", no_kernels)
    elif part == "search graph in INT8":
        monkeypatch.setattr(questions, "_LEAST_INT8", 2.0)
    elif part == "can a frame be captured":
        double.cudart.can_capture = False
    elif part == "that of the host":
        monkeypatch.setattr(questions, "_SAME_PX", float("nan"))
    elif part in {"those of ONNX Runtime", "frame in NV12"}:
        monkeypatch.setattr(questions, "box_overlaps", lambda ours, _: np.zeros(len(ours)))
    for answer in answers:
        if part in answer.question:
            assert answer.verdict == "no", answer.text
            assert answer.text
            return


def test_a_calibration_made_anew_in_its_place_is_asked_about_again(tiny_onnx, inputs, ranges, clip, tmp_path):
    shutil.copytree(ranges, tmp_path / "ranges")
    shutil.copytree(inputs, tmp_path / "inputs")

    def key(**given):
        return board_check._key(Namespace(onnx=tiny_onnx, clip=clip, frames=6, **given))

    before = key(ranges=tmp_path / "ranges", inputs=tmp_path / "inputs")
    assert key(ranges=ranges, inputs=inputs) == before  # a copy answers alike
    for folder in ("ranges", "inputs"):
        with (tmp_path / folder / "manifest.json").open("a") as stream:
            stream.write("\n")
        after = key(ranges=tmp_path / "ranges", inputs=tmp_path / "inputs")
        assert after != before
        before = after
    assert key(ranges=None, inputs=None)["ranges"] is None


def test_the_command_is_in_the_table():
    assert "board-check" in [name for name, *_ in COMMANDS]
