from __future__ import annotations

import pytest
import torch

from siamtrt.geometry import point_grid
from training.points import PointTargets, assign_points, overlap_loss, point_losses

GRID = torch.from_numpy(point_grid(16, 16)) + 128


def assigned(*boxes, positive=True):
    return assign_points(GRID, torch.tensor(boxes), torch.tensor([positive] * len(boxes)), 16, 256)


def cells(mask):
    """(column, row) of each true cell of a 16x16 map."""
    return {(int(index) % 16, int(index) // 16) for index in mask.nonzero()[:, 0]}


def test_five_cells_around_the_truncated_centre_are_positive():
    """The published golden: a crop shifted by (20, -35) has its object at the opposite side of the middle."""
    targets = assigned((128.0 - 20, 128.0 + 35, 40.0, 40.0))
    assert cells(targets.positive[0]) == {(7, 10), (6, 10), (8, 10), (7, 9), (7, 11)}


def test_truncation_goes_towards_the_middle_on_both_sides():
    for shift in (15.0, -15.0):
        assert (8, 8) in cells(assigned((128 + shift, 128.0, 40.0, 40.0)).positive[0])
        assert len(cells(assigned((128 + shift, 128.0, 40.0, 40.0)).positive[0])) == 5


def test_sides_count_strictly_inside_the_box():
    targets = assigned((128.0, 128.0, 32.0, 64.0))
    assert cells(targets.inside[0]) == {(8, row) for row in (7, 8, 9)}  # the points at 112 and 144 lie on its sides
    center = 8 * 16 + 8
    assert targets.sides[0, :, center].tolist() == [16, 32, 16, 32]


def test_a_pair_without_its_object_is_background():
    targets = assigned((128.0, 128.0, 80.0, 80.0), positive=False)
    assert not targets.positive.any()
    assert not targets.inside.any()


def test_the_overlap_loss_of_two_boxes():
    found, wanted = torch.tensor([10.0, 20, 30, 40]), torch.tensor([12.0, 18, 33, 36])
    assert float(overlap_loss(found[None, :, None], wanted[None, :, None])) == pytest.approx(0.2118818566, abs=1e-6)
    assert float(overlap_loss(wanted[None, :, None], wanted[None, :, None])) == 0


def test_the_two_classes_count_one_half_each():
    cls = torch.zeros(1, 2, 1, 5)
    cls[0, 1, 0] = torch.tensor([2.0, -1.0, 0.5, -2.0, -3.0])
    positive = torch.tensor([[True, True, False, False, False]])
    targets = PointTargets(positive, torch.zeros_like(positive), torch.ones(1, 4, 5))
    losses = point_losses(cls, torch.ones(1, 4, 1, 5), targets, 1.2)
    assert float(losses.cls) == pytest.approx(0.5516461491, abs=1e-6)
    assert float(losses.loc) == 0


def test_a_softmax_of_two_maps_counts_as_their_difference():
    cls = torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    single = torch.stack([torch.zeros(2, 4, 4), cls[:, 1] - cls[:, 0]], 1)
    targets = PointTargets(torch.rand(2, 16) > 0.5, torch.ones(2, 16, dtype=torch.bool), torch.ones(2, 4, 16))
    one, other = (point_losses(maps, torch.ones(2, 4, 4, 4), targets, 1.2) for maps in (cls, single))
    torch.testing.assert_close(one.total, other.total)
