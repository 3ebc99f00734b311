"""``gst:`` sources on an OpenCV that has GStreamer: another Python's, such as Debian's python3-opencv."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runtime.sources import csi_pipeline

ROOT = Path(__file__).parents[2]
HAS_GSTREAMER = "import cv2, re, sys; sys.exit(not re.search(r'GStreamer:\\s+YES', cv2.getBuildInformation()))"
READ = """
import json, sys
from runtime.frames import as_bgr
from runtime.sources import open_source
source = open_source(sys.argv[1])
frames = list(source.frames())
kind = type(frames[0]).__name__
frames = [as_bgr(frame) for frame in frames]
told = {"count": len(frames), "fps": source.fps, "known": source.count, "type": str(frames[0].dtype), "kind": kind}
print(json.dumps({**told, "shape": frames[0].shape, "means": [frame.mean((0, 1)).tolist() for frame in frames]}))
"""


@pytest.fixture(scope="module")
def python():
    """A Python whose OpenCV reads pipelines."""
    places = [sys.executable, "/usr/bin/python3", *filter(None, [shutil.which("python3")])]
    for place in places:
        if Path(place).is_file():
            done = subprocess.run([place, "-c", HAS_GSTREAMER], capture_output=True, check=False)
            if done.returncode == 0:
                return place
    pytest.skip("needs an OpenCV with GStreamer: apt install python3-opencv gstreamer1.0-plugins-base")


def read(python, source):
    done = subprocess.run([python, "-c", READ, source], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def refused(python, source, reason):
    done = subprocess.run([python, "-c", READ, source], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert reason in done.stderr


def test_a_pipeline_gives_its_frames_in_bgr(python):
    taken = "video/x-raw,width=64,height=48,framerate=10/1"
    told = read(python, f"gst:videotestsrc num-buffers=5 pattern=blue ! {taken} ! videoconvert ! {BGR} ! appsink")
    assert (told["count"], told["shape"], told["type"], told["fps"]) == (5, [48, 64, 3], "uint8", 10)
    blue, green, red = np.mean(told["means"], 0)
    assert blue > 200
    assert max(green, red) < 30


BGR = "video/x-raw,format=BGR"


@pytest.mark.parametrize("converted", ["", ",format=NV12", " ! videoconvert"])
def test_a_pipeline_gives_its_frames_in_nv12(python, converted):
    """A pipeline that can, does, whether it names the format or not."""
    taken = "video/x-raw,width=64,height=48,framerate=10/1"
    told = read(python, f"nv12:gst:videotestsrc num-buffers=5 pattern=blue ! {taken}{converted} ! appsink")
    assert (told["count"], told["shape"], told["kind"], told["fps"]) == (5, [48, 64, 3], "Nv12Frame", 10)
    blue, green, red = np.mean(told["means"], 0)
    assert blue > 250
    assert max(green, red) < 5


@pytest.mark.parametrize("format_name", ["I420", "BGR"])
def test_a_pipeline_of_another_format_is_never_taken_for_nv12(python, format_name):
    pipeline = f"videotestsrc num-buffers=2 ! video/x-raw,width=64,height=48,format={format_name} ! appsink"
    refused(python, f"nv12:gst:{pipeline}", "cannot open nv12:gst:videotestsrc")


@pytest.mark.parametrize("format_name", ["I420", "NV12"])
def test_planes_are_never_taken_for_a_grey_picture(python, format_name):
    pipeline = f"videotestsrc num-buffers=2 ! video/x-raw,width=64,height=48,format={format_name} ! appsink"
    refused(python, f"gst:{pipeline}", "delivers brightness and colours apart")


def test_nv12_of_an_odd_height_is_refused(python):
    refused(
        python, "nv12:gst:videotestsrc num-buffers=2 ! video/x-raw,width=64,height=49 ! appsink", "is no frame in NV12"
    )


@pytest.mark.parametrize("nv12", [False, True])
def test_the_pipeline_of_a_csi_camera_gives_frames_once_its_jetson_parts_are_replaced(python, nv12):
    """All of it but the two elements that only a Jetson has: what they put out is put out by Debian's."""
    pipeline = csi_pipeline(0, nv12=nv12)
    for theirs, ours in (
        ("nvarguscamerasrc sensor-id=0", "videotestsrc num-buffers=3 is-live=false"),
        ("(memory:NVMM)", ""),
        ("nvvidconv", "videoconvert"),
        ("drop=true max-buffers=1", ""),
    ):
        assert theirs in pipeline
        pipeline = pipeline.replace(theirs, ours)
    told = read(python, f"{'nv12:' if nv12 else ''}gst:{pipeline}")
    assert (told["count"], told["shape"]) == (3, [720, 1280, 3])
    assert told["kind"] == ("Nv12Frame" if nv12 else "ndarray")


def test_a_pipeline_that_gstreamer_cannot_open_is_refused(python):
    refused(python, "gst:nosuchelement ! appsink", "cannot open gst:nosuchelement")
