"""What crosses to another machine: paths get the places they have there, inputs are known by their content."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path

import pytest

from benchmarks.trials.fleet import files
from benchmarks.trials.fleet.files import Input
from benchmarks.trials.fleet.machine import turn
from benchmarks.trials.fleet.parcel import Parcel
from benchmarks.trials.fleet.side import Side, minor
from sequences.sequence import Sequence
from siamtrt import UsageError


def told(item, **more):
    """A job: everything it was given."""
    return item, more


@pytest.fixture
def asking(tmp_path):
    """The folder of a machine that asks."""
    root = tmp_path / "asking"
    for name in ("engines/search.onnx", "engines/deep/card.json", "videos/one/1.jpg", "clip.mp4", "out/clip/2.jpg"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def pack(asking, **given):
    work = partial(told, **given)
    return Parcel.pack(work, None, asking / "out")


def unpack(parcel, store, out):
    return parcel.call([one.found(store) for one in parcel.inputs], out)[1]


def sent(parcel, store):
    for batch in files.batches(parcel.inputs):
        files.keep(store, batch)


def test_where_the_files_are_the_same_paths_stay(asking, tmp_path):
    given = {"engines": asking / "engines", "image": asking / "out" / "clip" / "2.jpg", "out": asking / "out"}
    assert unpack(pack(asking, **given), tmp_path / "store", asking / "out") == given


def test_elsewhere_inputs_come_from_the_store_and_results_go_to_the_folder_there(asking, tmp_path):
    sequence = Sequence("one", (asking / "videos" / "one" / "1.jpg", asking / "clip.mp4" / "frame 3"), ((1, 2, 3, 4),))
    given = {
        "engines": asking / "engines",
        "card": asking / "engines" / "deep" / "card.json",
        "sequence": sequence,
        "result": asking / "out" / "results" / "one.txt",
        "out": asking / "out",
        "clip": asking / "out" / "clip",  # is there already, so it is read
    }
    parcel, store, there = pack(asking, **given), tmp_path / "store", tmp_path / "there"
    sent(parcel, store)
    asking.rename(tmp_path / "gone")
    seen = unpack(parcel, store, there)
    assert (seen["out"], seen["result"]) == (there, there / "results" / "one.txt")
    assert (seen["engines"] / "search.onnx").read_text() == "engines/search.onnx"
    assert seen["card"] == seen["engines"] / "deep" / "card.json"
    image, frame = seen["sequence"].images
    assert (image.name, image.read_text()) == ("1.jpg", "videos/one/1.jpg")
    assert (frame.name, frame.parent.name) == ("frame 3", "clip.mp4")
    assert (seen["clip"] / "2.jpg").read_text() == "out/clip/2.jpg"
    assert all(store in path.parents for path in (image, frame, seen["engines"], seen["clip"]))


def test_another_file_of_the_same_name_is_not_taken_for_the_input(asking, tmp_path):
    (one,) = pack(asking, engines=asking / "engines").inputs
    (asking / "engines" / "search.onnx").write_text("another one")
    assert one.found(tmp_path / "store") is None
    kept = tmp_path / "store" / one.name
    (kept / "deep").mkdir(parents=True)
    (kept / "deep" / "card.json").write_text("engines/deep/card.json")
    assert one.found(tmp_path / "store") is None  # half of it
    (kept / "search.onnx").write_text("engines/search.onnx")
    assert one.found(tmp_path / "store") == kept


def test_mounted_folders_are_not_looked_into_and_what_is_nowhere_stays_as_it_is(asking):
    given = {"data": asking / "videos" / "one", "other": Path("nowhere/else")}
    parcel = Parcel.pack(partial(told, **given), None, asking / "out", mounted=[asking / "videos"])
    assert parcel.inputs == ()
    assert parcel.call([], asking / "elsewhere")[1] == given


def test_a_message_holds_no_more_than_a_batch(asking, monkeypatch):
    monkeypatch.setattr(files, "_BATCH_BYTES", 20)
    inputs = [Input.of(asking / "engines"), Input.of(asking / "clip.mp4")]
    batches = list(files.batches(inputs))
    assert len(batches) == 3
    assert [content for batch in batches for _, content in batch] == [
        b"engines/deep/card.json",
        b"engines/search.onnx",
        b"clip.mp4",
    ]


def test_a_trial_alone_waits_for_the_others_and_they_for_it(tmp_path):
    lock, order = tmp_path / "lock", []

    def trial(name, alone):
        with turn(alone=alone, lock=lock):
            order.append(f"{name} begins")
            time.sleep(0.1)
            order.append(f"{name} ends")

    def beside(first, second):
        order.clear()
        threads = [threading.Thread(target=trial, args=args) for args in (first, second)]
        for thread in threads:
            thread.start()
            time.sleep(0.03)
        for thread in threads:
            thread.join()
        return order[1] == "a ends"

    assert not beside(("a", False), ("b", False))
    assert beside(("a", False), ("b", True))
    assert beside(("a", True), ("b", False))
    assert beside(("a", True), ("b", True))


def test_other_software_on_a_worker_is_refused_and_named():
    ours = Side("3.11", "2026.8.0", "abc")
    ours.require(Side("3.11", "2026.8.0", "abc"), "worker tcp://one")
    with pytest.raises(UsageError, match=r"worker tcp://one runs other software: python 3.8 there, 3.11 here; dask"):
        ours.require(Side("3.8", "2023.5.0", "abc"), "worker tcp://one")
    with pytest.raises(UsageError, match="code def there, abc here"):
        ours.require(Side("3.11", "2026.8.0", "def"), "worker tcp://one")
    assert minor("3.8.18.final.0") == "3.8"
