"""The name of a tracker's results is what its engines are, not where they lie."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks.evaluation.plan import tracker_name


def engines_at(folder, tiny_engines, model="siamrpn_lite0", card=None, **settings):
    """Engines of another name and other settings, in *folder*."""
    shutil.copytree(tiny_engines, folder)
    model_card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**model_card, "name": model, **(card or {})}))
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["model.json"]
    manifest["settings"].update(settings)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("place", [".cache/lite0-fp32", "build/.hidden/engines/x", "a b/c"])
def test_a_name_does_not_depend_on_the_folder_and_is_never_hidden(tiny_engines, tmp_path, place):
    assert tracker_name(engines_at(tmp_path / place, tiny_engines)) == "siamrpn_lite0-onnxruntime-fp32"


@pytest.mark.parametrize(
    ("folder", "settings"),
    [
        ("siamrpn_lite0/engines/onnxruntime-fp16", {"precision": "target=fp16,search=fp16,xcorr=fp16"}),
        (
            "siamrpn_lite0/engines/tensorrt-fp16",
            {"precision": "target=fp16,search=fp16,xcorr=fp16", "backend": "tensorrt"},
        ),
        ("nanotrack_v3/engines/onnxruntime-fp16+int8+fp16", {"precision": "target=fp16,search=int8,xcorr=fp16"}),
        ("siamrpn_lite0/engines/onnxruntime-int8-keep2", {"precision": "int8", "keep": ["search:a", "search:b"]}),
    ],
)
def test_engines_in_their_usual_place_keep_the_name_they_had(tiny_engines, tmp_path, folder, settings):
    model, _, built = folder.split("/")
    assert tracker_name(engines_at(tmp_path / folder, tiny_engines, model, **settings)) == f"{model}-{built}"


def test_kernels_as_inputs_are_part_of_the_name(tiny_engines, tmp_path):
    card = {"kernel_inputs": True}
    engines = engines_at(tmp_path / "m-inputs/engines/onnxruntime-fp32", tiny_engines, "m", card)
    assert tracker_name(engines) == "m-inputs-onnxruntime-fp32"
