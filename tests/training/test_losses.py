from __future__ import annotations

import pytest
import torch

from training.labels import NEGATIVE, POSITIVE, Targets
from training.losses import losses, overlaps_of_offsets


def test_the_overlap_of_offsets_is_that_of_the_boxes_they_make():
    half_a_side_right = torch.tensor([0.5, 0.0, 0.0, 0.0])
    twice_as_wide = torch.tensor([0.0, 0.0, 0.6931472, 0.0])
    apart = torch.tensor([2.0, 0.0, 0.0, 0.0])
    found = torch.stack([half_a_side_right, twice_as_wide, apart], 1)[None]
    assert overlaps_of_offsets(found, torch.zeros(1, 4, 3))[0].tolist() == pytest.approx([1 / 3, 1 / 2, 0])


def test_an_offset_out_of_all_bounds_still_gives_a_number():
    assert torch.isfinite(overlaps_of_offsets(torch.full((1, 4, 1), 500.0), torch.zeros(1, 4, 1))).all()


def test_the_overlap_adds_its_weight_times_what_lacks_on_positive_anchors_alone():
    targets = Targets(torch.tensor([[POSITIVE, NEGATIVE]]), torch.zeros(1, 4, 2), torch.tensor([[False, True]]))
    loc = torch.zeros(1, 4, 1, 2)
    loc[0, 0, 0] = torch.tensor([0.5, 9.0])
    cls = torch.zeros(1, 2, 1, 2)
    plain = losses(cls, loc, targets, 1.0)
    both = losses(cls, loc, targets, 1.0, overlap_weight=3.0)
    assert plain.loc.item() == pytest.approx(0.5)
    assert both.loc.item() - plain.loc.item() == pytest.approx(3 * (1 - 1 / 3))
