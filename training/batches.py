"""Pairs into tensors, drawn on a thread ahead of the optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from siamtrt import Array
from training.pairs import Pair, PairSampler

_AHEAD = 2
_TOGETHER = 16


@dataclass(frozen=True)
class Batch:
    """B pairs as tensors.

    Attributes:
        template: Bx3x127x127 float32, BGR, 0..255, channels last.
        search: Bx3xSxS float32 of the same kind.
        boxes: Bx4 float32: centre and size of the object in the search crop, in pixels.
        positive: B bool.
        known: B bool; the boxes of the others are no truth.
        number: of the batch in the run, over all processes; seeds what is drawn for it.
    """

    template: Tensor
    search: Tensor
    boxes: Tensor
    positive: Tensor
    known: Tensor
    number: int = 0


def collate(pairs: list[Pair], number: int = 0) -> Batch:
    """Stack *pairs* into batch *number*."""
    boxes = [[*pair.box.center, pair.box.width, pair.box.height] for pair in pairs]
    return Batch(
        _images([pair.template for pair in pairs]),
        _images([pair.search for pair in pairs]),
        torch.tensor(boxes, dtype=torch.float32),
        torch.tensor([pair.positive for pair in pairs]),
        torch.tensor([pair.known for pair in pairs]),
        number,
    )


def held_out(sampler: PairSampler, count: int) -> list[Batch]:
    """The first *count* pairs of *sampler*, in batches that are run together."""
    return [
        collate([sampler.pair(index) for index in range(start, min(start + _TOGETHER, count))])
        for start in range(0, count, _TOGETHER)
    ]


def batches(sampler: PairSampler, first: int, last: int, size: int, rank: int, world: int) -> Iterator[Batch]:
    """The batches of steps *first* to *last* (excluded) for process *rank* of *world*, a few drawn ahead."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        waiting: list[Future[Batch]] = []
        for step in range(first, last + _AHEAD):
            if step < last:
                waiting.append(executor.submit(_draw, sampler, step * world + rank, size))
            if len(waiting) > _AHEAD or (step >= last and waiting):
                yield waiting.pop(0).result()


def _draw(sampler: PairSampler, number: int, size: int) -> Batch:
    return collate([sampler.pair(index) for index in range(number * size, (number + 1) * size)], number)


def _images(views: list[Array]) -> Tensor:
    stacked = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)
    return stacked.float().contiguous(memory_format=torch.channels_last)
