"""The golden values were computed once with numpy and torch in float64, from the formulas alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from training.exit_losses import gate_loss, increments, stopping

GATES = torch.tensor([[0.2, 0.5, 0.7, 0.4]], dtype=torch.float64)
LOSSES = torch.tensor([[2, 1.5, 1.2, 1.1, 1]], dtype=torch.float64)
PAPER = torch.tensor([1, 1.43, 3.35, 3.34, 0.95], dtype=torch.float64)
CUMULATIVE = PAPER.cumsum(0)


def test_the_probabilities_of_stopping_sum_to_one():
    torch.testing.assert_close(stopping(GATES)[0], torch.tensor([0.2, 0.4, 0.28, 0.048, 0.072], dtype=torch.float64))
    assert stopping(torch.rand(20, 3)).sum(1).tolist() == pytest.approx([1.0] * 20, abs=1e-6)


@pytest.mark.parametrize(
    ("costs", "price", "expected"),
    [
        (PAPER, 0.0, 1.4608),
        (PAPER, 0.5, 2.43016),
        (PAPER, 1.0, 3.39952),
        (CUMULATIVE, 0.5, 3.4374),
        (CUMULATIVE, 1.0, 5.414),
    ],
)
def test_what_stopping_is_expected_to_lose(costs, price, expected):
    assert gate_loss(GATES, LOSSES, costs, price).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("costs", "expected"),
    [(PAPER, [0.013968, -0.07908, 0.074088, 0.037296]), (CUMULATIVE, [-0.18748, -0.3827, -0.15078, -0.0108])],
)
def test_the_gradient_of_the_gates_logits(costs, expected):
    """By the paper's increments the first gate is to close, by the cost up to an exit all of them are to open."""
    logits = torch.logit(GATES).requires_grad_(True)
    gate_loss(logits.sigmoid(), LOSSES, costs, 0.5).sum().backward()
    torch.testing.assert_close(logits.grad[0], torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


def test_by_the_papers_increments_the_deepest_exit_is_the_cheapest():
    alone = [(LOSSES[0] + 0.5 * costs).tolist() for costs in (PAPER, CUMULATIVE)]
    assert alone[0] == pytest.approx([2.5, 2.215, 2.875, 2.77, 1.475])
    assert alone[1] == pytest.approx([2.5, 2.715, 4.09, 5.66, 6.035])


def test_costs_of_three_exits():
    macs = torch.tensor([216.4848, 260.9115, 498.9090], dtype=torch.float64)
    shares = macs.cumsum(0) / macs.sum()
    assert shares.tolist() == pytest.approx([0.221739, 0.488983, 1], abs=1e-6)
    assert increments(shares).tolist() == pytest.approx([1, 1.205219, 2.304591], abs=1e-6)
    gates = torch.tensor([[0.3, 0.6]], dtype=torch.float64)
    losses = torch.tensor([[0.6, 0.5, 0.42]], dtype=torch.float64)
    assert stopping(gates)[0].tolist() == pytest.approx([0.3, 0.42, 0.28])
    assert gate_loss(gates, losses, shares, 0.2).item() == pytest.approx(0.617979, abs=1e-6)


def test_the_loss_of_a_score_that_says_an_overlap():
    overlap = torch.tensor(0.533333)
    for said, expected in ((0.6, 0.700043), (0.9, 1.130732)):
        assert F.binary_cross_entropy(torch.tensor(said), overlap).item() == pytest.approx(expected, abs=1e-5)
