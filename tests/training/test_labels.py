from __future__ import annotations

import math

import pytest
import torch

from siamtrt.geometry import anchor_grid
from training.labels import (
    IGNORED,
    NEGATIVE,
    POSITIVE,
    Targets,
    assign,
    only_where,
    overlaps,
    with_hard_negatives,
)
from training.losses import losses
from training.validate import best_boxes

GRID = torch.from_numpy(anchor_grid(8, (0.33, 0.5, 1.0, 2.0, 3.0), (8.0,), 25)) + torch.tensor(
    [[127.5], [127.5], [0], [0]]
)


NOWHERE = torch.zeros(1, 4, dtype=torch.bool)


def generator():
    return torch.Generator().manual_seed(0)


def test_overlaps_equal_hand_computed_ones():
    grid = torch.tensor([[10.0, 15, 40], [10, 10, 10], [10, 10, 10], [10, 10, 10]])
    found = overlaps(grid, torch.tensor([[10.0, 10, 10, 10]]))
    torch.testing.assert_close(found, torch.tensor([[1.0, 1 / 3, 0.0]]))


def test_labels_and_offsets_of_a_tiny_case():
    """Four anchors, one object: the first fits, the second is undecided, the others are background."""
    grid = torch.tensor([[10.0, 13, 40, 60], [10, 10, 10, 10], [10, 10, 10, 10], [10, 10, 10, 10]])
    targets = assign(grid, torch.tensor([[11.0, 10, 10, 10]]), torch.tensor([True]), generator())
    assert targets.labels.tolist() == [[POSITIVE, POSITIVE, NEGATIVE, NEGATIVE]]  # 9/11 and 8/12 are above 0.6
    targets = assign(grid, torch.tensor([[11.0, 10, 20, 10]]), torch.tensor([True]), generator())
    assert targets.labels.tolist() == [[IGNORED, IGNORED, NEGATIVE, NEGATIVE]]  # one half each
    torch.testing.assert_close(targets.offsets[0, :, 0], torch.tensor([0.1, 0.0, math.log(2), 0.0]))


def test_what_overlaps_between_0_3_and_0_6_is_neither_object_nor_background():
    """Squares of one size beside the object: a shift of d widths overlaps by (1 - d) / (1 + d)."""
    overlap = torch.tensor([0.61, 0.59, 0.31, 0.29])
    grid = torch.full((4, 4), 100.0)
    grid[0] += 100 * (1 - overlap) / (1 + overlap)
    targets = assign(grid, torch.tensor([[100.0, 100, 100, 100]]), torch.tensor([True]), generator())
    assert targets.labels.tolist() == [[POSITIVE, IGNORED, IGNORED, NEGATIVE]]


def test_offsets_are_shares_of_the_anchors_own_width_and_height():
    grid = torch.tensor([[10.0], [10], [40], [10]])
    targets = assign(grid, torch.tensor([[14.0, 12, 20, 30]]), torch.tensor([True]), generator())
    torch.testing.assert_close(targets.offsets[0, :, 0], torch.tensor([0.1, 0.2, math.log(0.5), math.log(3)]))


CROWD = torch.cat([GRID, torch.tensor([[127.5], [127.5], [64.0], [64.0]]).repeat(1, 40)], 1)


def test_at_most_16_positives_and_48_negatives_are_drawn():
    targets = assign(CROWD, torch.tensor([[127.5, 127.5, 64, 64]]), torch.tensor([True]), generator())
    assert (targets.labels == POSITIVE).sum() == 16
    assert (targets.labels == NEGATIVE).sum() == 48
    iou = overlaps(CROWD, torch.tensor([[127.5, 127.5, 64, 64]]))
    assert float(iou[targets.labels == POSITIVE].min()) > 0.6
    assert float(iou[targets.labels == NEGATIVE].max()) < 0.3


def test_in_a_negative_pair_the_other_object_is_background():
    targets = assign(CROWD, torch.tensor([[127.5, 127.5, 64, 64]]), torch.tensor([False]), generator())
    assert (targets.labels == POSITIVE).sum() == 0
    assert (targets.labels == NEGATIVE).sum() == 64


def test_losses_equal_hand_computed_ones():
    cls = torch.zeros(1, 2, 1, 4)
    cls[0, 1, 0, 0] = 2.0
    loc = torch.zeros(1, 4, 1, 4)
    loc[0, :, 0, 0] = torch.tensor([0.5, -0.5, 1.0, 0.0])
    targets = Targets(torch.tensor([[POSITIVE, NEGATIVE, IGNORED, NEGATIVE]]), torch.zeros(1, 4, 4), NOWHERE)
    found = losses(cls, loc, targets, 1.2)
    positive, negative = math.log(1 + math.exp(-2)), math.log(2)
    assert found.cls.item() == pytest.approx(0.5 * positive + 0.5 * negative, rel=1e-5)
    assert found.loc.item() == pytest.approx(2.0)
    assert found.total.item() == pytest.approx(found.cls.item() + 1.2 * 2.0)


def test_without_positives_the_box_loss_is_zero_not_nan():
    targets = Targets(torch.full((1, 4), NEGATIVE), torch.zeros(1, 4, 4), NOWHERE)
    assert losses(torch.zeros(1, 2, 1, 4), torch.zeros(1, 4, 1, 4), targets, 1.2).loc.item() == 0


@pytest.mark.parametrize("size", [(70, 50), (40, 110), (120, 40)])
def test_the_best_box_undoes_the_offsets(size):
    box = torch.tensor([[140.0, 120, *size]])
    targets = assign(GRID, box, torch.tensor([True]), generator())
    cls = torch.zeros(1, 10, 25, 25)
    cls.view(1, 2, -1)[0, 1, int(overlaps(GRID, box).argmax())] = 5
    torch.testing.assert_close(best_boxes(cls, targets.offsets.reshape(1, 20, 25, 25), GRID), box, atol=1e-3, rtol=0)


SMALL = torch.tensor([[127.5, 127.5, 42, 42]])  # the search crop was cut by half too large


def test_an_object_that_no_anchor_fits_is_learned_on_its_best_anchors():
    overlap = overlaps(GRID, SMALL)[0]
    assert 0.4 < float(overlap.max()) < 0.6
    plain = assign(GRID, SMALL, torch.tensor([True]), generator())
    assert (plain.labels == POSITIVE).sum() == 0
    found = assign(GRID, SMALL, torch.tensor([True]), generator(), least_overlap=0.35)
    chosen = overlap[found.labels[0] == POSITIVE]
    assert len(chosen) > 0
    assert float(chosen.min()) > 5 / 6 * float(overlap.max())
    assert float(overlap[found.labels[0] == NEGATIVE].max()) < 0.3


def test_an_object_that_anchors_fit_has_the_same_labels_with_a_lower_floor():
    box = torch.tensor([[127.5, 127.5, 64, 64]])
    plain, floored = (assign(GRID, box, torch.tensor([True]), generator(), floor) for floor in (0.6, 0.35))
    assert torch.equal(plain.labels, floored.labels)


def test_the_background_most_like_the_object_becomes_negative_and_nothing_else_changes():
    box = torch.tensor([[127.5, 127.5, 64, 64]])
    targets = assign(GRID, box, torch.tensor([True]), generator())
    overlap, cls = overlaps(GRID, box)[0], torch.zeros(1, 10, 25, 25)
    background = (targets.labels[0] == IGNORED) & (overlap < 0.3)
    lookalikes = background.nonzero()[:2, 0]
    undecided = int(((overlap > 0.3) & (overlap < 0.6)).nonzero()[0, 0])
    cls.view(1, 2, -1)[0, 1, lookalikes] = 5
    cls.view(1, 2, -1)[0, 1, undecided] = 9
    found = with_hard_negatives(targets, cls, 2)
    changed = (found.labels[0] != targets.labels[0]).nonzero()[:, 0]
    assert changed.tolist() == lookalikes.tolist()
    assert (found.labels[0, lookalikes] == NEGATIVE).all()


def test_an_example_without_known_object_teaches_no_label():
    boxes = torch.tensor([[127.5, 127.5, 64, 64]]).repeat(2, 1)
    targets = assign(GRID, boxes, torch.tensor([True, True]), generator())
    found = with_hard_negatives(only_where(targets, torch.tensor([False, True])), torch.zeros(2, 10, 25, 25), 4)
    assert (found.labels[0] == IGNORED).all()
    assert (found.labels[1] == POSITIVE).sum() == (targets.labels[1] == POSITIVE).sum() > 0
