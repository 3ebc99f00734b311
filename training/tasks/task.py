"""The seam between the loop and what is trained: networks, pairs and losses belong to a task, never to the loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Group:
    """Parameters that are trained alike.

    Attributes:
        parameters: each stands in one group only; what stands in none is frozen.
        lr_share: their rate relative to the run's.
        from_step: they are frozen before this step.
        scheduled: False for a constant rate: without warm-up and cosine.
        options: of AdamW for this group (``weight_decay``, ``betas``), before those of the run.
    """

    parameters: Sequence[nn.Parameter]
    lr_share: float = 1.0
    from_step: int = 0
    scheduled: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


class TaskSettings(Protocol):
    """What every table ``[task]`` says."""

    @property
    def model(self) -> str:
        """A key of ``networks.models.MODELS``; the trained weights are named after it."""


class Task(Protocol):
    """What is trained and how well it does.

    A task keeps no state of its own between steps: all that a step draws at random follows from the seed and the number
    of the step (or of the batch), so that a run resumes exactly and several processes draw different batches. A state
    that must be kept is a buffer of ``network``. A frozen teacher is an attribute of the task beside ``network``; then
    it is neither trained nor saved.

    Attributes:
        network: all that is trained, averaged and saved; already on the run's device, and never replaced.
    """

    network: nn.Module

    @property
    def settings(self) -> TaskSettings:
        """The table ``[task]`` with the defaults of the kind."""

    def groups(self) -> list[Group]:
        """The parameters that are trained; asked once."""

    def batches(self, first: int, last: int) -> Iterator[Any]:
        """What :meth:`losses` takes at the steps *first* to *last* (excluded), for this process.

        Pairs as ``training.batches`` draws them, or anything else: pairs with the path through a supernet that they
        train, pairs for weights and pairs for architecture in turn.
        """

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Scalars of one batch: ``loss`` is the one that is made smaller, the others are recorded beside it.

        Puts ``network`` (or parts of it) into training mode itself. A parameter that ``loss`` does not depend on keeps
        its value and its moments in this step, so steps may take turns between groups. A gradient that is computed by
        other means enters as the term ``(parameter * gradient.detach()).sum()``.
        """

    def score(self, network: nn.Module) -> float:
        """How well the averaged weights do on held-out data: the weights of the largest value are kept.

        Args:
            network: a copy of ``network`` with the averaged weights, in evaluation mode; no gradient is followed.
        """
