"""Random weights that keep the signals of a network alive, where no trained ones are at hand."""

from __future__ import annotations

import torch

from networks.models import build, spec
from networks.texture import smooth_noise
from networks.tracker import TrackerNetwork
from networks.trunks.resnet import Bottleneck

_RESIDUAL_SHARE = 0.2  # what a residual branch adds to its shortcut


def seeded(name: str, seed: int) -> TrackerNetwork:
    """Make the network called *name* with random weights that keep its signals alive.

    The batch norms take the statistics of two textured crops, so that every layer puts out values near unit variance: a
    stand-in for trained weights where only shapes, arithmetic or speed matter.

    Args:
        name: a key of ``MODELS``.
        seed: the same seed gives the same weights.

    Returns:
        The network in evaluation mode.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build(name)
        sizes = (spec(name).template_px, spec(name).search_px)
        template, search = (smooth_noise(size, count=2, seed=seed) for size in sizes)
        norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None  # the plain mean over both branches
        _damp_residuals(network)
        network.train()
        with torch.no_grad():
            network(template, search)
    return network.eval()


def _damp_residuals(network: TrackerNetwork) -> None:
    """Let each residual branch add little to its shortcut, as trained ones do; else rounding errors grow with depth."""
    for module in network.modules():
        if isinstance(module, Bottleneck) or getattr(module, "shortcut", False):
            norms = [child for child in module.modules() if isinstance(child, torch.nn.BatchNorm2d)]
            branch = [norm for norm in norms if not _belongs_to_shortcut(module, norm)]
            torch.nn.init.constant_(branch[-1].weight, _RESIDUAL_SHARE)


def _belongs_to_shortcut(module: torch.nn.Module, norm: torch.nn.Module) -> bool:
    shortcut = getattr(module, "downsample", None)
    return shortcut is not None and norm in list(shortcut.modules())
