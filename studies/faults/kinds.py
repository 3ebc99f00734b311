"""The kinds of files and messages from outside, and what reads each."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.evaluation.leaks import require_no_leak
from benchmarks.evaluation.ope import results as ope
from benchmarks.evaluation.plan import tracker_name
from benchmarks.evaluation.vot import annotations as truths
from benchmarks.evaluation.vot import results as vot
from engines.graph import read_graph
from runtime.followed import Followed
from runtime.open_engines import open_locators
from runtime.tracker import Tracker
from sequences.annotated import load_sequences
from sequences.sequence import Sequence
from serving.live import requests
from serving.trax.messages import compose
from serving.trax.serve import serve
from siamtrt import BoundingBox, Manifest, ModelCard
from siamtrt.files import sha256
from siamtrt.libraries import calibration_cache
from siamtrt.manifest import FILE_NAME
from siamtrt.ranges import Ranges, file_name

_BOX = BoundingBox(50, 40, 30, 24)
_FRAMES = 4
_TAGS = ("camera_motion", "occlusion")


@dataclass(frozen=True)
class Kind:
    """A kind of file or message.

    Attributes:
        name: of it.
        originals: whole ones.
        read: reads a damaged one; may raise PipelineError.
    """

    name: str
    originals: tuple[bytes, ...]
    read: Callable[[bytes], object]


def kinds(engines: Path, onnx: Path, calibration: Path, scratch: Path) -> list[Kind]:
    """All kinds; *scratch* is written to.

    Args:
        engines: a folder of engines for ONNX Runtime of the model whose graphs lie in *onnx*.
        onnx: written by ``python -m export``.
        calibration: of these graphs.
        scratch: an empty folder.
    """
    return [
        _engine_file(engines, scratch / "card", "model card", ("model.json",)),
        _engine_file(engines, scratch / "graph", "ONNX graph", tuple(path.name for path in engines.glob("*.onnx"))),
        _manifest(engines, scratch / "manifest"),
        _ranges(onnx, calibration, scratch / "ranges"),
        _cache(calibration),
        _results(scratch / "results"),
        _annotations(scratch / "annotations"),
        _trax(engines),
        Kind("web request", _WEB, lambda content: requests.parse(content.decode("utf-8", "replace"))),
    ]


def _engine_file(engines: Path, folder: Path, name: str, files: tuple[str, ...]) -> Kind:
    """A file of engines whose manifest was made to agree with the damage, as a builder's own mistake would be."""
    shutil.copytree(engines, folder)
    manifest = (folder / FILE_NAME).read_text(encoding="utf-8")
    contents = [(engines / file).read_bytes() for file in files]

    def read(content: bytes) -> None:
        path = folder / min(zip(files, contents), key=lambda pair: abs(len(pair[1]) - len(content)))[0]
        before = path.read_bytes()
        path.write_bytes(content)
        document = json.loads(manifest)
        document["files"][path.name] = sha256(path)
        (folder / FILE_NAME).write_text(json.dumps(document), encoding="utf-8")
        try:
            if path.suffix == ".onnx":
                read_graph(path)
            _follow(folder)
        finally:
            path.write_bytes(before)

    return Kind(name, tuple(contents), read)


def _follow(engines: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    tracker = Tracker.open(engines, threads=1)
    try:
        tracker.start(frame, _BOX)
        tracker.update(frame)
    finally:
        tracker.close()


def _manifest(engines: Path, folder: Path) -> Kind:
    shutil.copytree(engines, folder)

    def read(content: bytes) -> None:
        (folder / FILE_NAME).write_bytes(content)
        Manifest.load(folder, stage="engines")
        tracker_name(folder)
        require_no_leak(folder, [], allowed=False)
        _follow(folder)

    return Kind("manifest", ((engines / FILE_NAME).read_bytes(),), read)


def _ranges(onnx: Path, calibration: Path, folder: Path) -> Kind:
    graph = ModelCard.load(onnx).graphs[0].name
    folder.mkdir(parents=True)

    def read(content: bytes) -> None:
        (folder / file_name(graph)).write_bytes(content)
        Ranges.load(folder / file_name(graph), onnx=onnx / f"{graph}.onnx")

    return Kind("ranges", ((calibration / file_name(graph)).read_bytes(),), read)


def _cache(calibration: Path) -> Kind:
    tensors = json.loads(next(calibration.glob("*.ranges.json")).read_text(encoding="utf-8"))["tensors"]
    whole = calibration_cache.serialize({name: 0.1 + index for index, name in enumerate(tensors)}, "8.5.2.2")
    return Kind("calibration cache", (whole,), calibration_cache.parse)


def _results(folder: Path) -> Kind:
    entries = "1\n" + "10.5,20,30,40\n" * 20 + "2\n0\n0\n0\n0\n1\n" + "1,2,3,4,5,6,7,8\n"
    boxes = "10,20,30,40\nnan,nan,nan,nan\n" * 10
    sequence = Sequence("one", tuple(Path(str(number)) for number in range(20)), ((1.0, 2.0, 3.0, 4.0),) * 20)
    (folder / "T").mkdir(parents=True)

    def read(content: bytes) -> None:
        (folder / "T" / "one.txt").write_bytes(content)
        if content.startswith(b"1\n"):
            vot.read(folder / "T" / "one.txt")
        else:
            ope.read(folder, "T", sequence)

    return Kind("results", (entries.encode(), boxes.encode()), read)


def _annotations(folder: Path) -> Kind:
    (folder / "one").mkdir(parents=True)
    for number in range(_FRAMES):
        cv2.imwrite(str(folder / "one" / f"{number}.jpg"), np.zeros((120, 160, 3), np.uint8))
    regions = "1,2,30,40\n2,2,30,2,30,40,2,40\n3 2 30 40\n4\t2\t30\t40\n"
    document = {
        "one": {
            "video_dir": "one",
            "img_names": [f"{number}.jpg" for number in range(_FRAMES)],
            "width": 160,
            "height": 120,
            "init_rect": [1, 2, 30, 40],
            "gt_rect": [[1, 2, 30, 40]] * _FRAMES,
            "camera_motion": [1, 0, 1, 0],
        }
    }

    def read(content: bytes) -> None:
        if content[:1] in (b"{", b"["):
            (folder / "all.json").write_bytes(content)
            truths.load(folder / "all.json", _TAGS)
        else:
            (folder / "one" / "groundtruth.txt").write_bytes(content)
            for sequence in load_sequences(folder):
                list(sequence.boxes())

    return Kind("annotations", (json.dumps(document).encode(), regions.encode()), read)


def _trax(engines: Path) -> Kind:
    frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    image = "data:image/jpeg;" + base64.b64encode(cv2.imencode(".jpg", frame)[1].tobytes()).decode()
    start, follow = compose("initialize", "50,40,30,24"), compose("frame", image)
    conversation = (start + follow * 3 + compose("initialize") + start + follow + compose("quit")).encode()
    targets = Followed(lambda count: [Tracker(locator) for locator in open_locators(engines, count, threads=1)])

    def read(content: bytes) -> None:
        serve(targets, io.BytesIO(content), io.BytesIO(), name="T")

    return Kind("TraX conversation", (conversation,), read)


_WEB = (
    b'{"action": "follow", "box": [10, 20, 30.5, 40], "beside": true}',
    b'{"action": "forget", "target": 1}',
    b'{"action": "record"}',
)
