"""Proof that a cut network says what the whole one says with the same channels at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from networks.models import spec
from networks.texture import smooth_noise
from networks.tracker import TrackerNetwork
from siamtrt import ParityError
from training.pruning.groups import Group
from training.pruning.masks import masked

TOLERANCE = 1e-5
_SEED = 13


@torch.no_grad()
def prove(
    whole: TrackerNetwork,
    cut: TrackerNetwork,
    model: str,
    groups: Sequence[Group],
    kept: Mapping[str, Sequence[int]],
) -> float:
    """The largest difference of both networks' maps on a textured pair, relative to each map's range.

    Args:
        whole: before the cut, in evaluation mode.
        cut: after it.
        model: their key in ``networks.models.MODELS``.
        groups: of *whole*.
        kept: name of a group -> the channels that stayed.

    Raises:
        ParityError: it is above ``TOLERANCE``, or the cut network does not run.
    """
    template, search = (
        smooth_noise(side, seed=_SEED + side) for side in (spec(model).template_px, spec(model).search_px)
    )
    masks = {}
    for group in groups:
        masks[group.name] = torch.zeros(group.width)
        masks[group.name][list(kept.get(group.name, range(group.width)))] = 1
    with masked(whole, groups, masks):
        wanted = whole(template, search)
    try:
        got = cut(template, search)
    except RuntimeError as error:
        raise ParityError(f"the cut {model} does not run: {str(error).splitlines()[0]}") from error
    difference = max(
        float((one - other).abs().max() / (other.max() - other.min())) for one, other in zip(got, wanted, strict=True)
    )
    if not difference <= TOLERANCE:
        raise ParityError(
            f"the cut {model} differs from the masked one by {difference:.1e} of the maps' range, allowed {TOLERANCE}",
            hint="channels that belong together were not cut together: report the network",
        )
    return difference
