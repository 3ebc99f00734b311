"""The published stem takes RGB, minus 127, over 128; ours takes BGR 0..255 and must put out the same."""

from __future__ import annotations

import torch
from torch import nn

from networks.trunks.efficientnet_lite import EfficientNetLite0
from training.start_weights import _load_stem


def test_the_stem_on_raw_bgr_equals_the_published_one_on_normalised_rgb():
    torch.manual_seed(0)
    width = EfficientNetLite0().get_submodule("stem.0").weight.shape[0]
    published = {
        "_conv_stem.weight": torch.randn(width, 3, 3, 3),
        "_bn0.weight": torch.rand(width) + 0.5,
        "_bn0.bias": torch.randn(width),
        "_bn0.running_mean": torch.randn(width),
        "_bn0.running_var": torch.rand(width) * 1e-3,  # so small that the difference in epsilon shows
    }
    theirs = nn.Sequential(nn.Conv2d(3, width, 3, 2, bias=False), nn.BatchNorm2d(width, eps=1e-3), nn.ReLU6()).eval()
    theirs[0].load_state_dict({"weight": published["_conv_stem.weight"]})
    theirs[1].load_state_dict({key[5:]: value for key, value in published.items() if key.startswith("_bn0")}, False)
    trunk = EfficientNetLite0().eval()
    _load_stem(trunk, published)
    rgb = torch.randint(0, 256, (1, 3, 33, 33)).float()
    with torch.no_grad():
        expected, found = theirs((rgb - 127) / 128), trunk.get_submodule("stem")(rgb.flip(1))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
