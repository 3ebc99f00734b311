from __future__ import annotations

import cv2
import numpy as np
import pytest

from sequences.rendered.command import write_clip
from sequences.rendered.scene import shots
from siamtrt import BoundingBox


@pytest.fixture(scope="module")
def scene():
    return list(shots(seed=3, count=60))


def test_the_same_seed_is_the_same_scene(scene):
    again = next(shots(seed=3, count=60))
    np.testing.assert_array_equal(again.image, scene[0].image)
    assert again.truth == scene[0].truth
    assert not np.array_equal(next(shots(seed=4, count=60)).image, scene[0].image)


def test_the_truth_stays_inside_the_frame_and_changes_size(scene):
    for shot in scene:
        assert shot.truth.x >= 0
        assert shot.truth.y >= 0
        assert shot.truth.x + shot.truth.width <= 640
        assert shot.truth.y + shot.truth.height <= 480
    areas = [shot.truth.area for shot in scene]
    assert max(areas) > 1.5 * min(areas)


def test_the_truth_is_where_the_object_is():
    """Without camera noise the object differs from its neighbourhood: its colours do not occur around the box."""
    shot = next(shots(seed=7, count=10))
    box = shot.truth
    x, y, width, height = int(box.x), int(box.y), int(box.width), int(box.height)
    inside = shot.image[y : y + height, x : x + width].reshape(-1, 3).astype(float)
    ring = shot.image[y - 8 : y + height + 8, x - 8 : x + width + 8].astype(float)
    ring[8:-8, 8:-8] = np.nan
    around = ring.reshape(-1, 3)[~np.isnan(ring.reshape(-1, 3)).any(axis=1)]
    assert np.linalg.norm(inside.mean(axis=0) - np.median(around, axis=0)) > 20
    assert inside.std() > 1.5 * around.std(axis=0).mean()


def test_the_post_hides_part_of_the_object_in_the_middle_only(scene):
    hidden = [index for index, shot in enumerate(scene) if shot.occluded]
    assert hidden
    assert all(0.38 <= index / 59 <= 0.62 for index in hidden)


def test_the_light_dims_in_the_last_third(scene):
    dimmest = min(float(shot.image.mean()) for shot in scene if shot.light_changed)
    assert dimmest < 0.75 * float(scene[0].image.mean())


def test_a_written_clip_has_the_layout_of_the_vot_toolkit(tmp_path):
    write_clip(tmp_path, seed=1, count=5)
    frames = sorted(path.name for path in (tmp_path / "color").iterdir())
    assert frames == [f"{number:08d}.jpg" for number in range(1, 6)]
    assert cv2.imread(str(tmp_path / "color" / frames[0])).shape == (480, 640, 3)
    lines = (tmp_path / "groundtruth.txt").read_text().split()
    assert [BoundingBox.parse(line) for line in lines] == [shot.truth for shot in shots(1, 5)]
    assert (tmp_path / "occlusion.tag").read_text().split() == ["0", "0", "1", "0", "0"]


def test_a_shorter_clip_leaves_nothing_of_a_longer_one(tmp_path):
    write_clip(tmp_path, seed=1, count=5)
    write_clip(tmp_path, seed=2, count=3)
    assert len(list((tmp_path / "color").iterdir())) == len((tmp_path / "groundtruth.txt").read_text().split()) == 3


def test_an_interrupted_rendering_leaves_no_truth(tmp_path, monkeypatch):
    write_clip(tmp_path, seed=1, count=3)

    def interrupted(seed, count):
        yield next(shots(seed=seed, count=count))
        raise KeyboardInterrupt

    monkeypatch.setattr("sequences.rendered.command.shots", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_clip(tmp_path, seed=2, count=3)
    assert not (tmp_path / "groundtruth.txt").exists()
