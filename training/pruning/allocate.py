"""How many channels each group gives up for a budget: always the ones that matter least for what they cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from siamtrt import UsageError
from training.pruning.blocks import inside
from training.pruning.groups import Group
from training.pruning.work import Widths, narrowed

_LEAST_SHARE = 4  # a group keeps at least a quarter of its width


@dataclass(frozen=True)
class Budget:
    """What a network may cost.

    Attributes:
        cost: of the network at given widths.
        limit: the largest cost allowed.
        unit: of both, for messages.
    """

    cost: Callable[[Widths], float]
    limit: float
    unit: str


def least_width(width: int, multiple: int) -> int:
    """What a group of *width* channels keeps at least, unless it is narrower than *multiple*."""
    return max(multiple, -(-width // _LEAST_SHARE))


def allocate(
    groups: Sequence[Group],
    scores: Mapping[str, Sequence[float]],
    widths: Widths,
    budget: Budget,
    multiple: int,
    floors: Mapping[str, int] | None = None,
) -> dict[str, tuple[int, ...]]:
    """Choose the channels that stay.

    A step takes a group down to the next multiple, without its channels of least score, or a block out whole; the step
    of the least score for the cost that it saves comes first. Costs are counted anew at every step, since they depend
    on the widths of both sides of a layer.

    Args:
        groups: that may give up channels, and blocks that may go.
        scores: name of a group -> what each of its channels is worth; groups without any stay.
        widths: of all layers, as they are.
        budget: to come down to.
        multiple: every width that changes becomes a multiple of it, since hardware computes in such blocks.
        floors: name of a group -> the least width it may have, a quarter of its width otherwise.

    Returns:
        Name of a group -> the channels it keeps, of every group in *groups*.

    Raises:
        UsageError: the floors are reached before the budget is.
    """
    kept = {group.name: tuple(range(group.width)) for group in groups}
    by_worth = {
        group.name: sorted(range(group.width), key=lambda channel: (scores[group.name][channel], channel))
        for group in groups
        if group.name in scores
    }
    floor = {group.name: least_width(group.width, multiple) for group in groups} | dict(floors or {})
    cost = budget.cost(widths)
    while cost > budget.limit:
        best: tuple[float, Group, Widths, float] | None = None
        for group in groups:
            current = len(kept[group.name])
            wanted = _next_width(group, current, multiple, floor[group.name])
            if group.name not in by_worth or wanted is None:
                continue
            taken = by_worth[group.name][group.width - current : group.width - wanted]
            smaller = narrowed(widths, group, current - wanted)
            saved = cost - budget.cost(smaller)
            lost = sum(scores[group.name][channel] for channel in taken)
            if saved > 0 and (best is None or lost / saved < best[0]):
                best = lost / saved, group, smaller, cost - saved
        if best is None:
            raise UsageError(
                f"the groups are at their floors with {cost:.4g} {budget.unit}, {budget.limit:.4g} were asked for",
                hint="a larger budget, or a smaller --multiple",
            )
        _, chosen, widths, cost = best
        if chosen.branch:
            gone = [chosen, *(group for group in groups if inside(chosen, group))]
            kept.update((group.name, ()) for group in gone)
        else:
            wanted = (len(kept[chosen.name]) - 1) // multiple * multiple
            kept[chosen.name] = tuple(sorted(by_worth[chosen.name][chosen.width - wanted :]))
    return kept


def _next_width(group: Group, current: int, multiple: int, floor: int) -> int | None:
    """The width one step further down; None where there is none."""
    if group.branch or not current:
        return 0 if current else None
    wanted = (current - 1) // multiple * multiple
    return wanted if wanted >= floor else None
