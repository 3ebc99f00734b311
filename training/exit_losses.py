"""Losses of gates: what it costs in expectation to stop where they stop.

Source: Ying and Fragkiadaki, EMMCVPR 2017, eq. 1 to 5; the cost of an exit is meant to be that of all that ran up to
it, where the paper has its increment, by which the deepest exit is cheaper than the first.
"""

from __future__ import annotations

import torch
from torch import Tensor


def stopping(gates: Tensor) -> Tensor:
    """The probability of stopping at each exit: eq. 3.

    Args:
        gates: B x (K - 1), the probability of stopping at an exit that is reached; the last exit stops for sure.

    Returns:
        B x K; each row sums to one.
    """
    ones = torch.ones_like(gates[:, :1])
    reached = torch.cat([ones, (1 - gates).cumprod(1)], 1)
    return reached * torch.cat([gates, ones], 1)


def gate_loss(gates: Tensor, losses: Tensor, costs: Tensor, price: float) -> Tensor:
    """What is expected to be lost, by wrong answers and by what they cost: a value a row; eq. 5.

    Args:
        gates: B x (K - 1).
        losses: B x K, of each exit's answer.
        costs: K, of stopping at each exit.
        price: what a unit of cost is worth, in the unit of the losses.
    """
    return (stopping(gates) * (losses + price * costs)).sum(1)


def increments(costs: Tensor) -> Tensor:
    """What each exit adds to the cost up to the one before, relative to the first: the paper's p."""
    steps = torch.diff(costs, prepend=torch.zeros_like(costs[:1]))
    return steps / steps[0]
