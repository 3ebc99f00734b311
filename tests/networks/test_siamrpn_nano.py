from __future__ import annotations

import cv2
import torch

from networks.checkpoint import load, read_state
from networks.models import build
from networks.nanotrack import MobileNetV3Small
from networks.trunks.nano import NanoTrunk
from training.start_weights import load_nanotrack


def test_the_map_has_the_cells_of_the_other_models():
    network = build("siamrpn_nano").eval()
    with torch.no_grad():
        cls, loc = network(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255))
    assert cls.shape == (1, 10, 25, 25)
    assert loc.shape == (1, 20, 25, 25)


def test_without_the_last_stride_the_even_cells_equal_the_published_trunks():
    """With gates that stay open: their means run over other cells."""
    torch.manual_seed(0)
    published, ours = MobileNetV3Small().double().eval(), NanoTrunk().double().eval()
    state = published.state_dict()
    for key in state:
        if ".fc.2.weight" in key:
            state[key].zero_()
    published.load_state_dict(state)
    ours.load_state_dict(state)
    crop = torch.rand(1, 3, 127, 127, dtype=torch.float64) * 255
    with torch.no_grad():
        torch.testing.assert_close(ours(crop)[-1][:, :, ::2, ::2], published(crop))


def test_the_published_weights_start_the_trunk(reference_data):
    path = reference_data / "weights" / "nanotrackv3" / "nanotrackv3.pth"
    network, published = build("siamrpn_nano").eval(), load("nanotrack_v3", path)
    load_nanotrack(network.get_submodule("backbone"), read_state(path))
    image = cv2.imread(str(reference_data / "train" / "coco" / "000000000009.jpg"))[:255, :255]
    crop = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float()
    with torch.no_grad():
        found = network.get_submodule("backbone")(crop)[-1][:, :, ::2, ::2]
        wanted = published.get_submodule("backbone")(crop)
    both = torch.stack([found.flatten(), wanted.flatten()])
    assert float(torch.corrcoef(both)[0, 1]) > 0.999  # the gates see four times as many cells
