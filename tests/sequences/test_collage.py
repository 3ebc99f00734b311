from __future__ import annotations

import cv2
import numpy as np
import pytest

from sequences.layouts import open_sequences
from sequences.rendered.collage import Material, collage, material
from sequences.rendered.collage_command import add_arguments, main
from siamtrt import ArtifactError, UsageError, cli


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two bright objects with masks, and a dark photograph."""
    root = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    for name in ("red", "green"):
        (root / "objects" / name).mkdir(parents=True)
        for index in range(3):
            mask = np.zeros((120, 160), np.uint8)
            cv2.ellipse(mask, (70 + 5 * index, 60), (40, 25), 0, 0, 360, 255, -1)
            image = np.full((120, 160, 3), 20, np.uint8)
            image[mask > 0] = (40, 40, 250) if name == "red" else (40, 250, 40)
            cv2.imwrite(str(root / "objects" / name / f"{index:05d}.jpg"), image)
            cv2.imwrite(str(root / "objects" / name / f"{index:05d}.png"), mask)
    (root / "photographs").mkdir()
    cv2.imwrite(str(root / "photographs" / "dark.jpg"), rng.integers(0, 50, (200, 300, 3), dtype=np.uint8))
    return root / "objects", root / "photographs"


def test_the_truth_encloses_the_object(folders):
    found = material(*folders, only=("red",))
    near = []
    for shot in (shot for seed in range(6) for shot in collage(found, seed, 5) if not shot.occluded):
        x, y, width, height = (
            int(value) for value in (shot.truth.x, shot.truth.y, shot.truth.width, shot.truth.height)
        )
        inside = shot.image[y : y + height, x : x + width, 2].astype(float)
        near.append(float((inside > 90).mean()))
    assert len(near) > 10
    assert np.median(near) > 0.6  # an ellipse fills 79 percent of its box


def test_the_same_seed_is_the_same_clip(folders):
    found = material(*folders)
    first, again = (list(collage(found, 5, 3)) for _ in range(2))
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.truth == other.truth
    assert not np.array_equal(next(collage(found, 6, 3)).image, first[0].image)


def test_skipped_objects_are_not_taken(folders):
    only_green = material(*folders, skip=("red",))
    assert isinstance(only_green, Material)
    assert [video[0][0].parent.name for video in only_green.videos] == ["green"]
    with pytest.raises(ArtifactError, match="no masked object"):
        material(*folders, skip=("red", "green"))


def test_a_misspelt_object_is_refused_instead_of_taken(folders, tmp_path):
    for names in ({"skip": ("red", "gren")}, {"only": ("red", "gren")}):
        with pytest.raises(UsageError, match="has no object gren\n"):
            material(*folders, **names)
    with pytest.raises(UsageError, match="there is no folder"):
        material(tmp_path / "nowhere", folders[1])


def test_rivals_of_the_same_kind_are_as_many_as_asked(folders):
    found = material(*folders)
    alike = [list(collage(found, seed, 2, share)) for seed in range(4) for share in (0.5, 0.0)]
    assert any(
        not np.array_equal(one.image, other.image)
        for half, none in zip(alike[::2], alike[1::2])
        for one, other in zip(half, none)
    )


def make(folders, out, *words):
    arguments = cli.parser("test", "")
    add_arguments(arguments)
    places = ["--objects", str(folders[0]), "--photographs", str(folders[1]), "--out", str(out), "--frames", "3"]
    main(arguments.parse_args([*places, *words]))


def test_clips_of_other_objects_are_not_taken_for_those_asked_for(folders, tmp_path):
    make(folders, tmp_path)
    mark = tmp_path / "collage_0000" / "rendered.txt"
    assert mark.read_text() == "collage of seed 0\nobjects: green red\nskipped: \n"
    make(folders, tmp_path)  # as before
    with pytest.raises(UsageError, match="from other objects"):
        make(folders, tmp_path, "--skip", "red")
    make(folders, tmp_path / "apart", "--skip", "red")
    assert "objects: green\nskipped: red" in (tmp_path / "apart" / "collage_0000" / "rendered.txt").read_text()
    mark.write_text("collage of seed 0\n")
    with pytest.raises(UsageError, match="does not say from which"):
        make(folders, tmp_path)


def test_the_command_writes_what_the_reader_of_sequences_takes(folders, tmp_path, capsys):
    make(folders, tmp_path / "out", "--clips", "2", "--first-seed", "4")
    sequences = open_sequences(tmp_path / "out")
    assert [(sequence.name, len(sequence)) for sequence in sequences] == [("collage_0004", 3), ("collage_0005", 3)]
    assert sequences[0].frame(0).shape == (360, 480, 3)
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
