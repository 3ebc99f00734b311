"""Batch norms of LightTrack: give folded ones statistics to train with, and measure those of a network anew."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from networks.tracker import TrackerNetwork

Pairs = Iterable[tuple[Tensor, Tensor]]


@torch.no_grad()
def expand(network: TrackerNetwork, pairs: Pairs) -> None:
    """Give the norms of *network*, in place, the statistics of their inputs, without changing what it computes.

    A checkpoint with folded norms says that every input has mean 0 and variance 1. The batches of a training would not,
    so the first step would destroy it. Scale and shift take up here what the statistics change.

    Args:
        network: in evaluation mode.
        pairs: batches of template and search crops to measure on.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    moments: dict[nn.BatchNorm2d, list[tuple[Tensor, Tensor]]] = {norm: [] for norm in norms}

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(norm, nn.BatchNorm2d):
            variance, mean = torch.var_mean(inputs[0], (0, 2, 3))
            moments[norm].append((mean, variance))

    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    try:
        for template, search in pairs:
            network(template, search)
    finally:
        for hook in hooks:
            hook.remove()
    for norm, measured in moments.items():
        mean, variance = (torch.stack(values).mean(0) for values in zip(*measured, strict=True))
        _restate(norm, mean, variance)


def _restate(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """The same affine map with other statistics."""
    assert norm.running_mean is not None  # these norms track their statistics
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    norm.bias.add_(scale * (mean - norm.running_mean))
    norm.weight.copy_(scale * torch.sqrt(variance + norm.eps))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


@torch.no_grad()
def recalibrate(network: TrackerNetwork, pairs: Pairs) -> None:
    """Replace the statistics of the norms of *network*, in place, by those of *pairs*: the plain mean over batches.

    A member of a supernet needs this before it is judged: its layers see other inputs than they did in training.

    Args:
        network: left in evaluation mode.
        pairs: batches of template and search crops, none of them of the data that the network is judged on.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    for template, search in pairs:
        network(template, search)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
