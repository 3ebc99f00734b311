"""The gradient of a loss after one step of training, by numbers that the training loss depends on too.

Written out, with w' = w - rate (g + momentum m + decay w) and g the gradient of the training loss by w:
d L_val(w', a) / da = L_val's own gradient by a - rate (d2 L_train / da dw) v, where v is L_val's gradient by w'.

Source: Liu et al., DARTS, ICLR 2019, sec. 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]
Loss = Callable[[Weights, Tensor], Tensor]  # of weights by name and of alpha; the same call gives the same value

FIRST, EXACT, DIFFERENCE = ORDERS = ("first", "exact", "difference")


@dataclass(frozen=True)
class Unrolled:
    """The step that weights would take.

    Attributes:
        rate: its length; the second part of the gradient is in proportion to it.
        weight_decay: added to the gradient, times the weight.
        momentum: of *buffers*.
        buffers: by the name of the weight; none for a plain step.
        radius: of the finite difference: both its points lie so far from the weights.
    """

    rate: float
    weight_decay: float = 0.0
    momentum: float = 0.0
    buffers: Weights | None = None
    radius: float = 1e-2


@dataclass(frozen=True)
class Hypergradient:
    """What a validation loss says to alpha.

    Attributes:
        validation: the loss, after the step where one is unrolled.
        direct: its own gradient by alpha.
        through_weights: what the step adds, rate and sign included; zero in the first order.
    """

    validation: Tensor
    direct: Tensor
    through_weights: Tensor

    @property
    def total(self) -> Tensor:
        """The gradient."""
        return self.direct + self.through_weights


def hypergradient(
    train: Loss, validation: Loss, weights: Weights, alpha: Tensor, step: Unrolled, order: str = EXACT
) -> Hypergradient:
    """The gradient of the validation loss by *alpha*; neither *weights* nor *alpha* are touched.

    Args:
        train: the loss that the step makes smaller.
        validation: the loss after it.
        weights: where the step begins.
        alpha: what the gradient is taken by.
        step: see :class:`Unrolled`.
        order: ``first`` leaves the step out; ``exact`` differentiates twice; ``difference`` is the published estimate
            by two more gradients of the training loss.
    """
    names, start = list(weights), [value.detach().requires_grad_() for value in weights.values()]
    numbers = alpha.detach().requires_grad_()
    if order == FIRST:
        loss = validation(dict(zip(names, start, strict=True)), numbers)
        (direct,) = torch.autograd.grad(loss, [numbers])
        return Hypergradient(loss.detach(), direct, torch.zeros_like(direct))

    loss = train(dict(zip(names, start, strict=True)), numbers)
    gradients = torch.autograd.grad(loss, start, create_graph=order == EXACT)
    moved = [value.requires_grad_() for value in _moved(names, start, gradients, step)]
    after = validation(dict(zip(names, moved, strict=True)), numbers)
    direct, *toward = torch.autograd.grad(after, [numbers, *moved])
    if order == EXACT:
        product = torch.stack([(one * other).sum() for one, other in zip(gradients, toward, strict=True)]).sum()
        (implicit,) = torch.autograd.grad(product, [numbers])
    else:
        implicit = _difference(train, names, start, toward, numbers, step.radius)
    return Hypergradient(after.detach(), direct, -step.rate * implicit)


def _moved(names: Sequence[str], start: Sequence[Tensor], gradients: Sequence[Tensor], step: Unrolled) -> list[Tensor]:
    """The weights after the step."""
    moved = []
    for name, value, gradient in zip(names, start, gradients, strict=True):
        whole = gradient.detach() + step.weight_decay * value.detach()
        if step.buffers is not None:
            whole = whole + step.momentum * step.buffers[name]
        moved.append(value.detach() - step.rate * whole)
    return moved


def _difference(
    train: Loss,
    names: Sequence[str],
    start: Sequence[Tensor],
    toward: Sequence[Tensor],
    alpha: Tensor,
    radius: float,
) -> Tensor:
    """The product of the mixed second derivative with *toward*, by two gradients around the weights."""
    length = torch.sqrt(torch.stack([value.square().sum() for value in toward]).sum())
    reach = radius / length
    found = []
    for sign in (1, -1):
        around = [value.detach() + sign * reach * way for value, way in zip(start, toward, strict=True)]
        (gradient,) = torch.autograd.grad(train(dict(zip(names, around, strict=True)), alpha), [alpha])
        found.append(gradient)
    return (found[0] - found[1]) / (2 * reach)
