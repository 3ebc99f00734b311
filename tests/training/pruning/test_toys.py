"""Two networks small enough to be computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.batches import Batch
from training.pruning.groups import Group, Member
from training.pruning.masks import masked
from training.pruning.response import Response, divergence, score_divergence
from training.pruning.score import curvature_squares, leave_one_out, of_weights

FIRST = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
SECOND = [[2.0, -1.0, 0.2], [-1.0, 2.0, 0.1]]
HIDDEN = Group("first", 3, (Member("first", False, (0, 1, 2)), Member("second", True, (0, 1, 2))))


class Hidden(nn.Module):
    """Two inputs, three hidden channels, two logits, at three cells; the boxes never move."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 3, 1, bias=False), nn.Conv2d(3, 2, 1, bias=False)
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor(FIRST)[..., None, None])
            self.second.weight.copy_(torch.tensor(SECOND)[..., None, None])
        self.requires_grad_(False)

    def forward(self, template, search):
        logits = self.second(torch.relu(self.first(search)))
        return logits.flip(1), logits.new_zeros(len(logits), 4, *logits.shape[2:])  # the background comes first


@pytest.fixture
def batch():
    cells = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).T.reshape(1, 2, 1, 3)
    nothing = torch.zeros(1, dtype=torch.bool)
    return Batch(torch.zeros(1), cells, torch.zeros(1, 4), nothing, nothing)


def without(network, batch, channel):
    mask = torch.ones(3)
    mask[channel] = 0
    with masked(network, [HIDDEN], {"first": mask}):
        return Response.of(*network(batch.template, batch.search), "rpn")


def test_the_logits_are_those_of_the_page(batch):
    margin = Response.of(*Hidden()(batch.template, batch.search), "rpn").margin
    torch.testing.assert_close(margin, torch.tensor([[2.1 + 0.95, -0.9 - 2.05, 0.1]]))


def test_the_divergence_of_each_channel_both_ways(batch):
    network = Hidden()
    whole = Response.of(*network(batch.template, batch.search), "rpn")
    cut = [without(network, batch, channel) for channel in range(3)]
    assert [float(score_divergence(whole, other)) for other in cut] == pytest.approx(
        [0.456880, 0.447655, 0.000454], abs=1e-6
    )
    assert [float(score_divergence(other, whole)) for other in cut] == pytest.approx(
        [0.458231, 0.447020, 0.000454], abs=1e-6
    )
    alone = leave_one_out(network, "rpn", [HIDDEN], [batch])["first"]
    assert alone.tolist() == pytest.approx([0.456880, 0.447655, 0.000454], abs=1e-6)


def test_the_second_order_finds_the_channel_that_weights_cannot(batch):
    network = Hidden()

    def axes(response):
        for cell in range(3):
            margin = torch.zeros_like(response.margin)
            margin[0, cell] = 1
            yield margin, torch.zeros_like(response.offsets)

    squares = curvature_squares(network, "rpn", [HIDDEN], batch, axes)["first"]
    assert (squares / 2).tolist() == pytest.approx([0.438823, 0.444958, 0.000453], abs=1e-6)
    gamma = of_weights(network, [HIDDEN], "gamma", 0)["first"]
    assert gamma.tolist() == of_weights(network, [HIDDEN], "magnitude", 0)["first"].tolist()  # there is no norm


def test_the_first_order_says_nothing(batch):
    network, mask = Hidden(), torch.ones(3, requires_grad=True)
    with torch.no_grad():
        whole = Response.of(*network(batch.template, batch.search), "rpn")
    with masked(network, [HIDDEN], {"first": mask}):
        other = Response.of(*network(batch.template, batch.search), "rpn")
    (slope,) = torch.autograd.grad(divergence(whole, other).sum(), mask)
    assert slope.abs().max() < 1e-6


def test_a_class_score_drops_what_tells_two_objects_of_one_class_apart():
    kind, one = torch.tensor([0.0, 1, 0, 1, 0]), torch.tensor([0.0, 1, 0, 0, 1])
    kernel = torch.tensor([2.0, 2.0])

    def maps(mask):
        return torch.log_softmax(kernel[0] * mask[0] * kind + kernel[1] * mask[1] * one, 0)

    def classes(mask):
        pooled = torch.stack([kind.mean() * mask[0], one.mean() * mask[1]])
        return torch.log_softmax(torch.tensor([[5.0, 0.0], [-5.0, 0.0]]) @ pooled, 0)

    def distance(of, mask):
        cut = of(mask)
        return float((cut.exp() * (cut - of(torch.ones(2)))).sum())

    without_kind, without_one = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    assert distance(classes, without_one) == pytest.approx(0, abs=1e-6)
    assert distance(classes, without_kind) == pytest.approx(1.3250, abs=1e-4)
    assert distance(maps, without_one) == pytest.approx(0.4462, abs=1e-4)
    assert distance(maps, without_kind) == pytest.approx(0.4462, abs=1e-4)
    assert float(maps(torch.ones(2)).exp()[1]) == pytest.approx(0.765, abs=1e-3)
    assert maps(without_one).exp()[[1, 3]].tolist() == pytest.approx([0.416, 0.416], abs=1e-3)
