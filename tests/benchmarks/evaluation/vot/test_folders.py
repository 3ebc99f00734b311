from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.evaluation.vot.annotations import as_annotations, load
from sequences.annotated import load_sequences
from sequences.rendered.command import write_clip
from siamtrt import ArtifactError

TAGS = ("camera_motion", "illum_change", "motion_change", "size_change", "occlusion")


@pytest.fixture
def root(tmp_path):
    write_clip(tmp_path / "sequences" / "one", 1, 12)
    return tmp_path / "sequences"


def read(root, tmp_path):
    (tmp_path / "annotations.json").write_text(json.dumps(as_annotations(load_sequences(root), TAGS)))
    return load(tmp_path / "annotations.json", TAGS)["one"]


def test_sequences_on_disk_read_like_a_published_data_set(root, tmp_path):
    (root / "one" / "occlusion.tag").write_text("0\n" * 10 + "1\n1\n")
    (root / "one" / "illum_change.tag").write_text("0\n" * 12)
    (root / "one" / "camera_motion.label").write_text("0\n" * 12)
    truth = read(root, tmp_path)
    x, y, width, height = map(float, (root / "one" / "groundtruth.txt").read_text().split()[3].split(","))
    np.testing.assert_allclose(truth.polygons[3], [(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
    assert truth.size == (640, 480)
    assert np.flatnonzero(truth.tags["occlusion"]).tolist() == [10, 11]
    assert truth.absent_tags == 2  # camera_motion and illum_change are annotated and never occur


def test_an_attribute_without_a_file_is_not_annotated(root, tmp_path):
    for path in (root / "one").glob("*.tag"):
        path.unlink()
    truth = read(root, tmp_path)
    assert truth.absent_tags == 0
    assert not any(marks.any() for marks in truth.tags.values())


@pytest.mark.parametrize("marks", ["0\n" * 11, "0\n" * 11 + "2\n", "yes\n" * 12])
def test_bad_marks_are_refused_by_name(root, tmp_path, marks):
    (root / "one" / "occlusion.tag").write_text(marks)
    with pytest.raises(ArtifactError, match=r"occlusion.tag is not a 0 or 1 for each of 12 frames"):
        read(root, tmp_path)
