from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.int8 import digest, read_sample, sample_files, samples_of, spread_samples
from siamtrt import ArtifactError
from tests.tiny import write_tiny_model

CROP = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
SHAPE = (1, 3, 5, 7)


@pytest.mark.parametrize("array", [CROP, CROP.transpose(2, 0, 1)[None]])
def test_an_array_is_read_as_the_graph_takes_it(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    sample = read_sample(tmp_path / "a.npy", SHAPE)
    assert sample.dtype == np.float32
    assert sample.flags.c_contiguous
    np.testing.assert_array_equal(sample[0].transpose(1, 2, 0), CROP)


def test_a_picture_stays_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), CROP)
    np.testing.assert_array_equal(read_sample(tmp_path / "a.png", SHAPE)[0, 0], CROP[:, :, 0])


@pytest.mark.parametrize(
    ("array", "message"),
    [(CROP.astype(np.float32), "no uint8 crop"), (CROP[:4], r"shape \(1, 3, 4, 7\), the graph takes")],
)
def test_what_is_no_crop_of_that_size_is_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ArtifactError, match=message):
        read_sample(tmp_path / "a.npy", SHAPE)


@pytest.mark.parametrize("data", [b"", b"not an array"])
def test_a_damaged_file_is_refused(tmp_path, data):
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(ArtifactError, match=r"cannot read the sample .*a\.npy"):
        read_sample(tmp_path / "a.npy", SHAPE)


def test_samples_come_in_the_order_of_their_names(tmp_path):
    folder = tmp_path / "samples" / "template"
    folder.mkdir(parents=True)
    with pytest.raises(ArtifactError, match="holds no samples"):
        sample_files(folder)
    for name in ("b.png", "a.npy", "notes.txt"):
        (folder / name).write_text(name)
    files = sample_files(folder)
    assert [path.name for path in files] == ["a.npy", "b.png"]
    before = digest(files)
    (folder / "b.png").write_text("changed")
    assert digest(files) != before
    assert digest(files[::-1]) != digest(files)


def test_a_sample_that_a_kill_left_half_written_is_none(tmp_path):
    for name in ("0.png", ".1.4711.partial.png"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in sample_files(tmp_path)] == ["0.png"]


def test_a_few_samples_are_spread_over_all(tmp_path):
    for number in range(10):
        np.save(tmp_path / f"{number}.npy", np.full((5, 7, 3), number, np.uint8))
    assert [sample.max() for sample in spread_samples(tmp_path, SHAPE, 5)] == [0, 2, 4, 6, 8]
    assert [sample.max() for sample in spread_samples(tmp_path, SHAPE, 3)] == [0, 3, 6]
    assert len(spread_samples(tmp_path, SHAPE, 99)) == 10


def test_only_crops_are_stored_after_the_inputs_that_take_them(tmp_path):
    card = write_tiny_model(tmp_path, lost=True)
    folders = {graph.name: samples_of(tmp_path, card, graph.name) for graph in card.graphs}
    stored = {graph: str(folder.relative_to(tmp_path)) for graph, folder in folders.items() if folder}
    assert stored == {
        "target": "samples/template",
        "search": "samples/search",
        "search_lost": "samples/search_lost",
    }
