from __future__ import annotations

import json

import pytest

from siamtrt import ArtifactError, Manifest

COMMAND = "python -m engines --onnx a --out b"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "search.onnx").write_bytes(b"graph")
    (tmp_path / "parent.pth").write_bytes(b"weights")
    Manifest.of(
        tmp_path,
        ["search.onnx"],
        stage="engines",
        command=COMMAND,
        parents=[tmp_path / "parent.pth"],
        settings={"backend": "onnxruntime", "precision": "fp16"},
        environment={"python": "3.8"},
    ).save(tmp_path)
    return tmp_path


def test_a_manifest_carries_the_digests_of_files_and_parents(folder):
    manifest = Manifest.load(folder, stage="engines")
    assert manifest.files == {
        "search.onnx": "eef93e1d14482804277fca0172464032d1a4fdbcc338524059fa1e861454ad4d"  # as sha256sum prints it
    }
    assert manifest.parents == {
        str(folder / "parent.pth"): "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    }
    assert manifest.settings["precision"] == "fp16"


def test_a_changed_file_is_refused_with_the_command_that_rebuilds_it(folder):
    (folder / "search.onnx").write_bytes(b"tampered")
    with pytest.raises(ArtifactError, match=r"is not the file its manifest describes\n  try: " + COMMAND):
        Manifest.load(folder, stage="engines")


def test_a_missing_file_is_refused(folder):
    (folder / "search.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"search\.onnx is missing"):
        Manifest.load(folder, stage="engines")


def test_an_unfinished_folder_is_refused_with_the_way_to_build_it(tmp_path):
    with pytest.raises(ArtifactError, match=r"not a finished engines folder\n  try: 'make engines', or"):
        Manifest.load(tmp_path, stage="engines")


def test_a_folder_of_another_stage_is_refused(folder):
    with pytest.raises(ArtifactError, match="was written by engines, expected export"):
        Manifest.load(folder, stage="export")


@pytest.mark.parametrize(("change", "complaint"), [({"schema": 9}, "schema 9"), ({"extra": 1}, "not a manifest")])
def test_a_foreign_manifest_is_refused(folder, change, complaint):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError, match=complaint):
        Manifest.load(folder, stage="engines")


@pytest.mark.parametrize("field", ["files", "parents", "settings"])
def test_a_list_in_place_of_names_is_refused(tmp_path, field):
    path = Manifest.of(tmp_path, [], stage="s", command="", parents=[], settings={}, environment={}).save(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), field: ["x"]}))
    with pytest.raises(ArtifactError, match="is not a manifest"):
        Manifest.load(tmp_path, stage="s")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"backend": {}}, "a setting that is no word"),
        ({"precision": None}, "a setting that is no word"),
        ({"keep": 3}, "calibration_sources or keep that is no list"),
        ({"calibration_sources": [3]}, "a setting that is no word"),
    ],
)
def test_settings_that_later_stages_could_not_read_are_refused(folder, change, complaint):
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "settings": {**document["settings"], **change}}))
    with pytest.raises(ArtifactError, match=complaint):
        Manifest.load(folder, stage="engines")
