"""The gradient through a step, against values worked out by hand and by differences of the whole map."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import nn

from networks.cell import SearchCell
from training.hypergradient import DIFFERENCE, EXACT, FIRST, Unrolled, hypergradient

TRAIN_X = (-1.5, -0.5, 0.5, 1.0, 2.0)
HELD_X = (-2.0, -1.0, 0.25, 1.5)
EXACT_B = (-0.0554503273, 0.0881479869, -0.0326976596)


def doubles(*values):
    return torch.tensor(values, dtype=torch.float64)


def parabola(weights, alpha):
    return ((weights["w"] - alpha) ** 2).sum()


def line(weights, alpha):
    return (alpha * weights["w"] - 2 * alpha + 1).sum()


def mixture(points):
    x = doubles(*points)
    wanted = torch.sin(x) + 0.1 * x**2

    def loss(weights, alpha):
        w, shares = weights["w"], alpha.softmax(0)
        found = shares[0] * torch.tanh(w[0] * x) + shares[1] * w[1] * x**2 + shares[2] * w[2] * x
        return ((found - wanted) ** 2).mean()

    return loss


def three(order=EXACT, **step):
    settings = {"rate": 0.05, "weight_decay": 3e-4, **step}
    weights, alpha = {"w": doubles(0.5, -0.3, 0.8)}, doubles(0.1, -0.2, 0.3)
    return hypergradient(mixture(TRAIN_X), mixture(HELD_X), weights, alpha, Unrolled(**settings), order)


@pytest.mark.parametrize("order", [EXACT, DIFFERENCE])
@pytest.mark.parametrize(("rate", "wanted"), [(0.1, -2.8), (0.5, 2.0)])
def test_the_gradient_through_a_step_of_a_parabola_is_the_one_worked_out_by_hand(order, rate, wanted):
    """L_val = a w - 2a + 1, L_train = (w - a)^2 at a = 2, w = -2."""
    found = hypergradient(parabola, line, {"w": doubles(-2.0)}, doubles(2.0), Unrolled(rate), order)
    assert float(found.total) == pytest.approx(wanted, abs=1e-9)
    first = hypergradient(parabola, line, {"w": doubles(-2.0)}, doubles(2.0), Unrolled(rate), FIRST)
    assert float(first.total) == pytest.approx(-4, abs=1e-9)


@pytest.mark.parametrize(("rate", "order", "optimum"), [(0.5, FIRST, 2), (0.1, EXACT, 5 / 3), (0.5, EXACT, 1)])
def test_steps_in_turn_end_where_the_look_ahead_says(rate, order, optimum):
    """The true optimum is 1; the first order ends at 2."""
    w, alpha = doubles(-2.0), doubles(2.0)
    for _ in range(2000):
        alpha = alpha - 0.1 * hypergradient(parabola, line, {"w": w}, alpha, Unrolled(rate), order).total
        w = w - 0.1 * 2 * (w - alpha)
    assert float(alpha) == pytest.approx(optimum, abs=1e-6)
    assert float(w) == pytest.approx(optimum, abs=1e-6)


def test_three_operations_in_a_mixture_have_the_gradient_on_record():
    found = three()
    assert found.total.tolist() == pytest.approx(EXACT_B, abs=1e-9)
    assert float(found.validation) == pytest.approx(0.2452842516, abs=1e-9)
    weights, alpha = {"w": doubles(0.5, -0.3, 0.8)}, doubles(0.1, -0.2, 0.3)
    assert float(mixture(TRAIN_X)(weights, alpha)) == pytest.approx(0.1767353069, abs=1e-9)
    assert float(mixture(HELD_X)(weights, alpha)) == pytest.approx(0.2541348347, abs=1e-9)
    first = three(FIRST)
    assert first.total.tolist() == pytest.approx((-0.0623890338, 0.1103760466, -0.0479870127), abs=1e-9)
    buffers = {"w": doubles(0.02, -0.01, 0.03)}
    pushed = three(momentum=0.9, buffers=buffers)
    assert pushed.total.tolist() == pytest.approx((-0.0551964653, 0.0881733748, -0.0329769095), abs=1e-9)


def test_the_finite_difference_is_off_by_the_square_of_its_radius():
    near = three(DIFFERENCE)
    assert near.total.tolist() == pytest.approx((-0.0554503277, 0.0881479863, -0.0326976587), abs=1e-9)
    errors = [float((three(DIFFERENCE, radius=radius).total - three().total).abs().max()) for radius in (1e-2, 1e-1)]
    assert errors[0] == pytest.approx(9.07e-10, rel=0.01)
    assert errors[1] / errors[0] == pytest.approx(100, rel=0.01)


def test_the_gradient_is_that_of_the_whole_map_from_alpha_to_the_loss_after_the_step():
    def after(alpha):
        w = doubles(0.5, -0.3, 0.8).requires_grad_()
        (gradient,) = torch.autograd.grad(mixture(TRAIN_X)({"w": w}, alpha), [w])
        moved = w.detach() - 0.05 * (gradient + 3e-4 * w.detach())
        return float(mixture(HELD_X)({"w": moved}, alpha))

    alpha, step = doubles(0.1, -0.2, 0.3), 1e-4
    moves = torch.eye(3, dtype=torch.float64) * step
    found = [(after(alpha + move) - after(alpha - move)) / (2 * step) for move in moves]
    assert three().total.tolist() == pytest.approx(found, abs=1e-9)


def real_cell(order, radius=1e-2):
    """A cell of 4 channels on maps of 8x8, with batch statistics, and two classes a place, in float64."""
    torch.manual_seed(2)
    cell = SearchCell(4).double().train()
    alpha = torch.randn_like(cell.alpha)
    head = nn.Conv2d(16, 2, 1).double()
    both = nn.ModuleDict({"cell": cell, "head": head})
    weights = {name: value.detach() for name, value in both.named_parameters() if name != "cell.alpha"}
    maps = torch.randn(2, 2, 2, 4, 8, 8, dtype=torch.float64)
    wanted = torch.randint(0, 2, (2, 2, 8, 8))

    def loss(number):
        def of(weights, alpha):
            own = {name.removeprefix("cell."): value for name, value in weights.items() if name.startswith("cell.")}
            buffers = {name: value.clone() for name, value in cell.named_buffers()}
            found = torch.func.functional_call(cell, {**own, "alpha": alpha, **buffers}, tuple(maps[number]))
            return F.cross_entropy(F.conv2d(found, weights["head.weight"], weights["head.bias"]), wanted[number])

        return of

    return hypergradient(loss(0), loss(1), weights, alpha, Unrolled(0.05, radius=radius), order), (loss, weights, alpha)


def test_the_exact_gradient_of_a_real_cell_is_that_of_the_whole_map():
    """Along a random direction, by central differences of the loss after the step; the kinks allow no more digits."""
    found, (loss, weights, alpha) = real_cell(EXACT)

    def after(alpha):
        leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
        gradients = torch.autograd.grad(loss(0)(leaves, alpha), list(leaves.values()))
        moved = {name: value.detach() - 0.05 * g for (name, value), g in zip(leaves.items(), gradients)}
        return float(loss(1)(moved, alpha).detach())

    way = torch.randn_like(alpha)
    way /= way.norm()
    step = 1e-7
    measured = (after(alpha + step * way) - after(alpha - step * way)) / (2 * step)
    assert float((found.total * way).sum()) == pytest.approx(measured, rel=1e-6)
    assert float(found.through_weights.norm()) > 0.01 * float(found.direct.norm())


def test_the_estimate_of_a_real_cell_is_within_a_tenth_of_the_exact_term():
    """Where kinks are crossed; between them it is better by orders."""
    exact, far, near = (
        real_cell(order, radius)[0].through_weights
        for order, radius in ((EXACT, 1), (DIFFERENCE, 1e-2), (DIFFERENCE, 1e-3))
    )
    assert 1e-3 < float((far - exact).norm() / exact.norm()) < 0.1
    assert float((near - exact).norm() / exact.norm()) < 1e-5
