"""Distillation: a published tracker's answer to the same pair, learned beside the truth or where no truth is known.

A teacher is a model of the family ``ban``. It scores points, a student scores anchors: the student's best anchor of
each cell is compared with the teacher's foreground probability there. Source of the loss: Li et al., NeurIPS 2020,
sec. 3.1 (quality focal loss): soft labels, weighted by how far the student is off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor

from networks.checkpoint import load
from networks.models import spec
from siamtrt import UsageError
from training.batches import Batch

_SAME_REACH = 0.01
_CONFIDENT = 0.7  # a teacher's box below this teaches its score alone


@dataclass(frozen=True)
class Answer:
    """What a teacher says of B pairs.

    Attributes:
        foreground: BxRxR, probability that the object is around each cell of the student's map, 0..1.
        boxes: Bx4, centre and size of its best box in the search crop, in pixels.
        confidence: B, the score of that box, 0..1.
    """

    foreground: Tensor
    boxes: Tensor
    confidence: Tensor


class Teacher:
    """A published tracker that answers for a student.

    Args:
        model: a key of ``networks.models.MODELS`` of the family ``ban``.
        weights: its checkpoint.
        student: the model it teaches. Crops of another size are scaled to the teacher's: 255 pixels to LightTrack's 256
            show the same piece of the frame to 0.4 %.
        cells: side of the student's map.
        device: what it computes on.

    Raises:
        UsageError: the teacher is of another family, or its crops show another piece of the frame.
    """

    def __init__(self, model: str, weights: Path, student: str, cells: int, device: torch.device) -> None:
        taught, own = spec(student), spec(model)
        reaches = [each.search_px / each.template_px for each in (own, taught)]
        if own.family != "ban" or not math.isclose(*reaches, rel_tol=_SAME_REACH):
            raise UsageError(
                f"{model} cannot teach {student}",
                hint="a teacher of the family ban whose search crop is as many templates wide",
            )
        self._network = load(model, weights).requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device, self._stride = device, own.stride
        self._template_px, self._search_px = own.template_px, own.search_px
        self._shrink = taught.search_px / own.search_px
        self._reach_px = taught.stride * (cells // 2)
        self._cells = cells

    @torch.no_grad()
    def answer(self, template: Tensor, search: Tensor) -> Answer:
        """Answer for Bx3x127x127 and Bx3xSxS crops; the map is on the teacher's device, the rest on the CPU."""
        with torch.autocast(self._device.type, torch.bfloat16):
            cls, sides = self._network(self._crop(template, self._template_px), self._crop(search, self._search_px))
        foreground = cls.float().softmax(1)[:, 1]
        best = foreground.flatten(1).argmax(1)
        line = self._points(foreground.shape[-1])
        rows, columns = torch.meshgrid(line, line, indexing="ij")
        left, top, right, bottom = sides.float().flatten(2)[torch.arange(len(best)), :, best].T
        x, y = columns.flatten()[best], rows.flatten()[best]
        boxes = torch.stack([x + (right - left) / 2, y + (bottom - top) / 2, left + right, top + bottom], 1)
        boxes = boxes.cpu() * self._shrink
        return Answer(self._on_student(foreground), boxes, foreground.flatten(1).amax(1).cpu())

    def _crop(self, crop: Tensor, side: int) -> Tensor:
        crop = crop.to(self._device)
        if crop.shape[-1] == side:
            return crop
        return F.interpolate(crop, (side, side), mode="bilinear", align_corners=False)

    def _points(self, count: int) -> Tensor:
        """Where the teacher's points lie along a side of the crop, in pixels."""
        steps = torch.arange(count, device=self._device) - count // 2
        return self._search_px / 2 + self._stride * steps.float()

    def _on_student(self, foreground: Tensor) -> Tensor:
        """The teacher's map at the places of the student's cells."""
        count = foreground.shape[-1]
        reach = torch.linspace(-self._reach_px, self._reach_px, self._cells, device=self._device)
        index = reach / (self._stride * self._shrink) + count // 2  # a map of even side has its middle right of it
        line = 2 * index / (count - 1) - 1
        rows, columns = torch.meshgrid(line, line, indexing="ij")
        places = torch.stack([columns, rows], -1).expand(len(foreground), -1, -1, -1)
        return F.grid_sample(foreground[:, None], places, align_corners=True)[:, 0].clamp(0, 1)


def joint_answer(answers: list[Answer]) -> Answer | None:
    """The mean map of several teachers, and the box of the most confident one for each pair; None without teachers."""
    if not answers:
        return None
    confidence, leader = torch.stack([answer.confidence for answer in answers]).max(0)
    boxes = torch.stack([answer.boxes for answer in answers])[leader, torch.arange(len(leader))]
    return Answer(torch.stack([answer.foreground for answer in answers]).mean(0), boxes, confidence)


def told(batch: Batch, answer: Answer | None) -> tuple[Tensor, Tensor]:
    """The boxes to learn (Bx4), and which of them are worth it: the truth, or a teacher's confident box without one."""
    if answer is None:
        return batch.boxes, batch.known
    sure = answer.confidence > _CONFIDENT
    return torch.where(batch.known[:, None], batch.boxes, answer.boxes), batch.known | (sure & batch.positive)


def distillation(cls: Tensor, foreground: Tensor) -> Tensor:
    """How far the student's scores are from the teacher's: a scalar with a gradient.

    Args:
        cls: Bx2AxRxR, background channels first.
        foreground: BxRxR, 0..1, see :class:`Answer`.
    """
    batch, channels, rows, columns = cls.shape
    logits = cls.float().reshape(batch, 2, channels // 2, rows, columns)
    margin = (logits[:, 1] - logits[:, 0]).amax(1)
    off = (foreground - margin.detach().sigmoid()).abs()
    entropy = F.binary_cross_entropy_with_logits(margin, foreground, reduction="none")
    return (off * entropy).sum() / foreground.sum().clamp(min=batch)
