from __future__ import annotations

import base64
import io
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.followed import Followed
from runtime.tracker import Tracker
from serving.trax.messages import Message, compose, parse
from serving.trax.payload import read_image, read_region
from serving.trax.serve import serve
from siamtrt import ArtifactError, BoundingBox, PipelineError, UsageError
from tests.runtime.stub import StubMatcher, card, tracker_of

ROOT = Path(__file__).parents[2]
# An image of 40000 x 40000 pixels, by its head, which OpenCV refuses by raising.
HUGE = base64.b64encode(b"P6 40000 40000 255\n" + bytes(100)).decode()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(0)
    paths = [folder / name for name in ("1.png", '2 a=b "q" ü.png', "3.png")]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
    return paths


# Messages


def test_lines_that_are_no_messages_pass():
    assert parse("some output of a program\n") is None
    assert parse(" @@TRAX:quit\n") is None


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("@@TRAX:quit \n", Message("quit", (), {})),
        ("@@TRAX:quit\r\n", Message("quit", (), {})),
        ('@@TRAX:frame "file:///a b.jpg" \n', Message("frame", ("file:///a b.jpg",), {})),
        ("@@TRAX:FRAME file:///a.jpg k=v\n", Message("frame", ("file:///a.jpg",), {"k": "v"})),
        ('@@TRAX:frame "file:///a=b \\"q\\" \\\\ c.jpg"\n', Message("frame", ('file:///a=b "q" \\ c.jpg',), {})),
        (
            '@@TRAX:initialize "file:///s.jpg" "1.1235,2.0000,30.5,40" "k.1=v = w" \n',
            Message("initialize", ("file:///s.jpg", "1.1235,2.0000,30.5,40"), {"k.1": "v = w"}),
        ),
        (
            '@@TRAX:frame "data:image/jpeg;/9j/4A==" "a=x\\ny"\n',
            Message("frame", ("data:image/jpeg;/9j/4A==",), {"a": "x\ny"}),
        ),
    ],
)
def test_messages_as_the_reference_library_writes_them(line, wanted):
    assert parse(line) == wanted


@pytest.mark.parametrize(
    "line", ['@@TRAX:frame "file:///a.jpg', '@@TRAX:frame "a"b', '@@TRAX:frame a"b"', '@@TRAX:x \\"']
)
def test_damaged_messages_are_refused(line):
    with pytest.raises(UsageError, match="damaged arguments"):
        parse(line + "\n")


@given(st.text(st.characters(blacklist_characters="\r", blacklist_categories=("Cs",))), st.text('abc\\" \n='))
def test_what_is_composed_is_read_back(reason, other):
    line = compose("quit", "x:" + other, trax_reason=reason)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert parse(line) == Message("quit", ("x:" + other,), {"trax.reason": reason})


@given(st.text('@TRAX:frame "\\=\n'))
def test_garbage_is_a_message_none_or_an_error(text):
    try:
        found = parse("@@TRAX:" + text)
    except UsageError:
        return
    assert isinstance(found, Message)


# What they carry


def test_images_come_by_path_or_within_the_message(images):
    pixels = cv2.imread(str(images[0]))
    assert np.array_equal(read_image(f"file://{images[0]}"), pixels)
    encoded = base64.b64encode(images[0].read_bytes()).decode()
    assert np.array_equal(read_image(f"data:image/png;{encoded}"), pixels)
    assert np.array_equal(read_image(f"data:image/png;base64,{encoded}"), pixels)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("file:///nowhere.jpg", ArtifactError, "cannot read /nowhere.jpg: No such file"),
        ("file://a\0b", UsageError, r"'file://a\\x00b' is no image that this tracker takes"),
        ("file://\ud800", UsageError, r"'file://\\ud800' is no image that this tracker takes"),
        (f"file://{__file__}", ArtifactError, "not a readable image"),
        ("data:image/png;!!!", ArtifactError, "not in base64"),
        ("data:image/png;", ArtifactError, "not a readable image"),
        (f"data:image/png;{HUGE}", ArtifactError, r"the image in the message cannot be decoded: .*MAX_IMAGE_PIXELS"),
        ("image:2;2;rgb;AAAA", UsageError, "no image that this tracker takes"),
        ("http://example.com/1.jpg", UsageError, "no image that this tracker takes"),
    ],
)
def test_other_images_are_refused(text, kind, words):
    with pytest.raises(kind, match=words):
        read_image(text)


def test_regions_become_the_box_a_vot_run_starts_with():
    assert read_region("1.5,2,30,40") == BoundingBox(1.5, 2, 30, 40)
    corners = "12.3,8.7,33.1,11.2,31.9,42.6,10.4,40.0"
    assert read_region(corners) == BoundingBox.from_polygon([float(value) for value in corners.split(",")])
    assert read_region("1,2,5,2,3,9") == BoundingBox(1, 2, 4, 7)


@pytest.mark.parametrize("text", ["1", "1,2,3", "1,2", "1,2,3,4,5", "nan,1,2,3", "a,b,c,d", "m0,0,2,2,1,3", ""])
def test_other_regions_are_refused(text):
    with pytest.raises(UsageError, match="no region that this tracker takes"):
        read_region(text)


# The conversation


def stub():
    return tracker_of(StubMatcher(card()))


def stubs(count):
    return [stub() for _ in range(count)]


def talk(*lines):
    """Serve *lines*; the answers, and the error if there was one."""
    answers = io.BytesIO()
    error = None
    try:
        with Followed(stubs) as targets:
            serve(targets, io.BytesIO("".join(lines).encode()), answers, name="stub")
    except PipelineError as raised:
        error = raised
    return [parse(line) for line in answers.getvalue().decode().splitlines(keepends=True)], error


def frame(image):
    return compose("frame", f"file://{image}")


def state(found):
    return Message("state", (str(found.box),), {} if found.score is None else {"confidence": f"{found.score:.6f}"})


BOX, OTHER = BoundingBox(40, 30, 50, 40), BoundingBox(90, 60, 20, 30)
INITIALIZE, AGAIN, QUIT = compose("initialize", str(BOX)), compose("initialize"), compose("quit")


def test_a_conversation_equals_the_tracker(images):
    answers, error = talk(
        INITIALIZE, frame(images[0]), "noise\n", *map(frame, images[1:]), AGAIN, INITIALIZE, frame(images[1]), QUIT
    )
    assert error is None
    assert answers[0].name == "hello"
    assert answers[0].properties == {
        "trax.version": "4",
        "trax.name": "stub",
        "trax.multiobject": "1",
        "trax.image": "path;buffer;",
        "trax.region": "rectangle;polygon;",
        "trax.channels": "color;",
    }
    frames = [cv2.imread(str(path)) for path in images]
    tracker = stub()
    states = [tracker.start(frames[0], BOX), *map(tracker.update, frames[1:]), tracker.start(frames[1], BOX)]
    assert answers[1:] == [state(found) for found in states]
    assert [len(answer.properties) for answer in answers[1:]] == [0, 1, 1, 0]


def test_targets_join_and_are_answered_in_their_order(images):
    other = compose("initialize", str(OTHER))
    answers, error = talk(INITIALIZE, frame(images[0]), other, frame(images[1]), frame(images[2]), QUIT)
    assert error is None
    frames = [cv2.imread(str(path)) for path in images]
    first, second = stub(), stub()
    states = [first.start(frames[0], BOX)]
    states += [first.update(frames[1]), second.start(frames[1], OTHER)]
    states += [first.update(frames[2]), second.update(frames[2])]
    assert answers[1:] == [state(found) for found in states]


def test_a_client_that_goes_away_ends_the_service(images, caplog):
    answers, error = talk(INITIALIZE, frame(images[0]))
    assert error is None
    assert len(answers) == 2
    assert "went away without saying quit" in caplog.text


def test_a_client_that_no_longer_listens_ends_the_service(caplog):
    class Deaf(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError

    with Followed(stubs) as targets:
        serve(targets, io.BytesIO(INITIALIZE.encode()), Deaf(), name="stub")
    assert "went away" in caplog.text


@pytest.mark.parametrize(
    ("lines", "kind", "words"),
    [
        (["@@TRAX:frame file://IMAGE\n"], UsageError, "there is no target yet"),
        (["@@TRAX:initialize 40,30,50,40\n", AGAIN, "@@TRAX:frame file://IMAGE\n"], UsageError, "there is no target"),
        (["@@TRAX:state 1,2,3,4\n"], UsageError, "'state' is no TraX message for a tracker"),
        (["@@TRAX:initialize file://IMAGE 1,2,3,4\n"], UsageError, "initialize has 2 arguments, not 1"),
        (["@@TRAX:initialize 40,30,50,40\n", "@@TRAX:frame a b\n"], UsageError, "frame has 2 arguments"),
        (["@@TRAX:initialize 400,300,50,40\n@@TRAX:frame file://IMAGE\n"], UsageError, "lies outside the frame"),
        (["@@TRAX:initialize 4,3,0,40\n@@TRAX:frame file://IMAGE\n"], UsageError, "has no area"),
        (["@@TRAX:initialize 1,2,3,4\n@@TRAX:frame file:///nowhere.jpg\n"], ArtifactError, "cannot read"),
        (["@@TRAX:initialize 1,2,3,4\n@@TRAX:frame file://a\0b\n"], UsageError, "no image that this tracker takes"),
        (['@@TRAX:frame "file\n'], UsageError, "damaged arguments"),
    ],
)
def test_what_goes_wrong_is_told_to_the_client_and_the_user(images, lines, kind, words):
    answers, error = talk(*(line.replace("IMAGE", str(images[0])) for line in lines))
    assert type(error) is kind
    assert words in error.problem
    assert answers[-1] == Message("quit", (), {"trax.reason": error.problem})


# The command


def run(engines, text, *options):
    command = [sys.executable, "-m", "runtime", *options, "trax", "--engines", str(engines), "--threads", "1"]
    return subprocess.run(command, input=text.encode(), capture_output=True, cwd=ROOT, timeout=60, check=False)


def test_the_command_speaks_on_standard_output_alone(images, tiny_engines):
    done = run(tiny_engines, INITIALIZE + frame(images[0]) + frame(images[1]) + QUIT)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert [line.split()[0] for line in lines] == ["@@TRAX:hello", "@@TRAX:state", "@@TRAX:state"]
    assert f'"trax.name=tiny-{tiny_engines.name}"' in lines[0]
    with Tracker.open(tiny_engines, threads=1) as tracker:
        tracker.start(cv2.imread(str(images[0])), BOX)
        found = tracker.update(cv2.imread(str(images[1])))
    assert lines[2] == f'@@TRAX:state "{found.box}" "confidence={found.score:.6f}"'


def test_errors_of_the_command_are_one_sentence_and_an_exit_code(images, tiny_engines, tmp_path):
    done = run(tiny_engines, frame(images[0]))
    assert done.returncode == 2
    assert "\nerror: there is no target yet\n" in f"\n{done.stderr.decode()}"
    assert b"Traceback" not in done.stderr
    done = run(tiny_engines, INITIALIZE + frame("/nowhere.jpg"))
    assert (done.returncode, done.stdout.decode().splitlines()[-1]) == (
        4,
        '@@TRAX:quit "trax.reason=cannot read /nowhere.jpg: No such file or directory"',
    )
    done = run(tmp_path, "")
    assert (done.returncode, done.stdout) == (4, b"")


def test_prints_of_anything_else_go_to_standard_error(images, tiny_engines):
    code = (
        "import ctypes, serving.trax.serve as serve\n"
        "inner = serve.serve\n"
        "def chatty(*arguments, **names):\n"
        "    print('from python'); ctypes.CDLL(None).puts(b'from C'); ctypes.CDLL(None).fflush(None)\n"
        "    inner(*arguments, **names)\n"
        "serve.serve = chatty\n"
        "from serving.__main__ import COMMANDS\n"
        "from siamtrt import cli\n"
        f"words = ['trax', '--engines', {str(tiny_engines)!r}, '--threads', '1']\n"
        "code = cli.run_table('serving', '', COMMANDS, words)\n"
        "print('standard output is back'); raise SystemExit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=QUIT.encode(), capture_output=True, cwd=ROOT, timeout=60, check=True
    )
    assert [line.split()[0] for line in done.stdout.decode().splitlines()] == ["@@TRAX:hello", "standard"]
    assert "from python" in done.stderr.decode()
    assert "from C" in done.stderr.decode()


def test_the_reference_client_is_served(images, tiny_engines):
    """vot-trax is what the VOT toolkit itself uses."""
    pytest.importorskip("trax", reason="vot-trax is not installed (it has builds for x86-64 only)")
    from trax import TraxException
    from trax.client import Client
    from trax.image import BufferImage, FileImage
    from trax.region import Polygon, Rectangle

    command = [sys.executable, "-m", "runtime", "--quiet", "trax", "--engines", str(tiny_engines), "--threads", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=ROOT, bufsize=0, **pipes) as process, Tracker.open(
        tiny_engines, threads=1
    ) as ours:
        client = Client((process.stdin.fileno(), process.stdout.fileno()), log=lambda _: None)
        assert client.channels == ["color"]
        assert client.region_formats == ["rectangle", "polygon"]
        pixels = [cv2.imread(str(path)) for path in images]
        corners = [(40.25, 30.5), (90, 32), (88, 70), (42, 71.125)]
        for region, box in (
            (Rectangle.create(40, 30, 50, 40), BOX),
            (Polygon.create(corners), BoundingBox.from_polygon([value for corner in corners for value in corner])),
        ):
            client.initialize({"color": FileImage.create(str(images[0]))}, [(region, {})], {})
            ours.start(pixels[0], box)
            by_path, _ = client.frame({"color": FileImage.create(str(images[1]))}, {}, [])
            wanted = ours.update(pixels[1])
            assert by_path[0][0].bounds() == pytest.approx(tuple(map(float, str(wanted.box).split(","))), abs=1e-4)
            assert by_path[0][1]["confidence"] == f"{wanted.score:.6f}"
            by_data, _ = client.frame({"color": BufferImage.create(images[2].read_bytes())}, {}, [])
            wanted = ours.update(pixels[2])
            assert by_data[0][0].bounds() == pytest.approx(tuple(map(float, str(wanted.box).split(","))), abs=1e-4)
        with pytest.raises(TraxException, match=r"cannot read /nowhere\.jpg"):
            client.frame({"color": FileImage.create("/nowhere.jpg")}, {}, [])
        assert process.wait(10) == 4
