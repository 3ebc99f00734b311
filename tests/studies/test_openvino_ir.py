from __future__ import annotations

import shutil

import pytest
import torch

from networks.checkpoint import read_state
from siamtrt import ArtifactError
from studies.openvino_ir import convert


def test_an_openvino_model_gives_the_checkpoint_that_was_read_from_it(reference_data):
    folder = reference_data / "weights" / "lighttrack_mobile"
    converted, known = convert(folder), read_state(folder / "lighttrack_mobile_folded_fp16.pth")
    for key, tensor in known.items():
        torch.testing.assert_close(converted[key].float(), tensor, atol=0, rtol=0)


def test_another_openvino_model_is_refused(reference_data, tmp_path):
    folder = reference_data / "weights" / "lighttrack_mobile"
    for suffix in ("xml", "bin"):
        shutil.copy(folder / f"head.{suffix}", tmp_path / f"x_feature.{suffix}")
        shutil.copy(folder / f"head.{suffix}", tmp_path / f"head.{suffix}")
    with pytest.raises(ArtifactError, match="holds no LightTrack-Mobile"):
        convert(tmp_path)
    with pytest.raises(ArtifactError, match="cannot read the OpenVINO model"):
        convert(tmp_path / "nowhere")
