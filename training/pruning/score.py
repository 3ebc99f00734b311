"""What each channel is worth to the maps: how far they would move if it went.

The measure is the divergence of ``training.pruning.response``. It is at its minimum where every mask is one, so its
first derivative there says nothing; half the second, 1/2 J'GJ, does. One backward pass of the
maps, times sqrt(G), times normal random numbers, gives an unbiased sample of it for all channels of all groups at once,
a pair at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from networks.tracker import TrackerNetwork
from training.batches import Batch
from training.pruning.groups import Group
from training.pruning.masks import masked
from training.pruning.response import Response, curvature_roots, divergence

MODES = ("fisher", "leave-one-out", "magnitude", "gamma", "random")
Scores = dict[str, list[float]]


def fisher(
    network: TrackerNetwork,
    family: str,
    groups: Sequence[Group],
    batches: Iterable[Batch],
    *,
    probes: int,
    seed: int,
    done: Callable[[dict[str, Tensor]], None] = lambda _: None,
) -> dict[str, Tensor]:
    """The sum over pairs of each channel's second-order loss.

    Args:
        network: in evaluation mode, without gradients of its weights.
        family: ``rpn`` or ``ban``.
        groups: to score.
        batches: pairs; the first pair of a batch has the number that the batch says.
        probes: random directions a pair; what is drawn depends on *seed*, pair and probe alone.
        seed: of the directions.
        done: called after each batch with its part of the sums.

    Returns:
        Name of a group -> float64, one value a channel.
    """
    sums = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in groups}
    for batch in batches:
        part = _fisher_of(network, family, groups, batch, probes, seed)
        for name, value in part.items():
            sums[name] += value
        done(part)
    return sums


def _fisher_of(
    network: TrackerNetwork, family: str, groups: Sequence[Group], batch: Batch, probes: int, seed: int
) -> dict[str, Tensor]:
    pairs = range(batch.number, batch.number + len(batch.template))

    def drawn(response: Response) -> Iterator[tuple[Tensor, Tensor]]:
        for probe in range(probes):
            directions = [_directions(response, seed, pair, probe, row) for row, pair in enumerate(pairs)]
            margin, offsets = zip(*directions, strict=True)
            yield torch.stack(margin), torch.stack(offsets)

    squares = curvature_squares(network, family, groups, batch, drawn)
    return {name: value / (2 * probes) for name, value in squares.items()}


def curvature_squares(
    network: nn.Module,
    family: str,
    groups: Sequence[Group],
    batch: Batch,
    directions: Callable[[Response], Iterable[tuple[Tensor, Tensor]]],
) -> dict[str, Tensor]:
    """The squared derivative of the maps along *directions* by each mask, summed over pairs and directions.

    Args:
        network: see :func:`fisher`.
        family: ``rpn`` or ``ban``.
        groups: to score.
        batch: B pairs.
        directions: given the maps, directions of their shapes: BxN of the margins and Bx4xN of the offsets. Those of
            unit variance have J'GJ as their mean; those along the axes have it as their sum.

    Returns:
        Name of a group -> float64, one value a channel.
    """
    masks = {group.name: torch.ones(len(batch.template), group.width, requires_grad=True) for group in groups}
    with masked(network, groups, masks):
        response = _response(network, family, batch)
    margin_root, offset_root = curvature_roots(Response(response.margin.detach(), response.offsets.detach()))
    total = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in groups}
    for margin, offsets in directions(response):
        projected = (margin * margin_root * response.margin).sum() + (offsets * offset_root * response.offsets).sum()
        gradients = torch.autograd.grad(projected, list(masks.values()), retain_graph=True)
        for name, gradient in zip(masks, gradients, strict=True):
            total[name] += gradient.double().square().sum(0)
    return total


def _response(network: nn.Module, family: str, batch: Batch) -> Response:
    cls_map, loc_map = network(batch.template, batch.search)
    return Response.of(cls_map, loc_map, family)


def _directions(response: Response, seed: int, pair: int, probe: int, row: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed((seed * 1_000_003 + pair) * 1009 + probe)
    margin, offsets = response.margin[row], response.offsets[row]
    return (torch.randn(margin.shape, generator=generator), torch.randn(offsets.shape, generator=generator))


@torch.no_grad()
def leave_one_out(
    network: TrackerNetwork,
    family: str,
    groups: Sequence[Group],
    batches: Iterable[Batch],
    done: Callable[[dict[str, Tensor]], None] = lambda _: None,
) -> dict[str, Tensor]:
    """The sum over pairs of the divergence without each channel: a forward pass for every one of them.

    Source: Luo and Wu, CVPR 2020 (CURL), there of a classifier's scores.
    """
    sums = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in groups}
    for batch in batches:
        whole = _response(network, family, batch)
        part = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in groups}
        for group in groups:
            for channel in range(group.width):
                mask = torch.ones(group.width)
                mask[channel] = 0
                with masked(network, [group], {group.name: mask}):
                    without = _response(network, family, batch)
                part[group.name][channel] = divergence(whole, without).double().sum()
            sums[group.name] += part[group.name]
        done(part)
    return sums


def of_weights(network: nn.Module, groups: Sequence[Group], mode: str, seed: int) -> dict[str, Tensor]:
    """Scores that see no picture.

    Args:
        network: whose weights are read.
        groups: to score.
        mode: ``magnitude`` (mean absolute weight in a layer that reads a channel, over the layer's largest, summed over
            these layers), ``gamma`` (mean absolute scale of the norms that carry it) or ``random``.
        seed: of ``random``.
    """
    generator = torch.Generator().manual_seed(seed)
    kinds: Mapping[str, Callable[[Group], Tensor]] = {
        "magnitude": lambda group: _magnitude(network, group),
        "gamma": lambda group: _gamma(network, group),
        "random": lambda group: torch.rand(group.width, generator=generator),
    }
    return {group.name: kinds[mode](group).double() for group in groups}


def _magnitude(network: nn.Module, group: Group) -> Tensor:
    total = torch.zeros(group.width)
    for reader in group.readers:
        weight = network.get_submodule(reader.layer).get_parameter("weight").detach().abs()
        per_input = weight.transpose(0, 1).flatten(1).mean(1)
        total += per_input[list(reader.places)] / per_input.max()
    return total


def _gamma(network: nn.Module, group: Group) -> Tensor:
    scales = []
    for member in group.members:
        module = network.get_submodule(member.layer)
        if isinstance(module, nn.BatchNorm2d):
            scales.append(module.weight.detach().abs()[list(member.places)])
    return torch.stack(scales).mean(0) if scales else _magnitude(network, group)
