"""Where a run computes: a device, and its number among the processes that share the work."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from siamtrt import UsageError

_BACKENDS = {"cpu": "gloo", "cuda": "nccl"}


@dataclass(frozen=True)
class Place:
    """One process of a run.

    Attributes:
        device: what it computes on.
        rank: its number; number 0 scores and saves.
        world: how many processes there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient, in place, by its mean over the processes.

        Processes may use different parameters: one that no process used keeps no gradient, one that some did not use
        counts as zero there. *parameters* must be the same, in the same order, in every process. This is done after the
        backward pass, and not by PyTorch's DistributedDataParallel within it, so that a task may run its network in
        parts or several times a step.
        """
        if self.world == 1:
            return
        wanted = [parameter for parameter in parameters if parameter.requires_grad]
        used = torch.tensor([float(parameter.grad is not None) for parameter in wanted], device=self.device)
        gradients = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in wanted]
        flat = torch.cat([used, *(gradient.flatten() for gradient in gradients)])
        distributed.all_reduce(flat)
        sizes = [len(wanted), *(gradient.numel() for gradient in gradients)]
        used, *means = torch.split(flat / self.world, sizes)
        for parameter, share, mean in zip(wanted, used.tolist(), means, strict=True):
            parameter.grad = mean.view_as(parameter) if share else None

    def agree(self, wish: bool) -> bool:
        """Whether any process has the *wish*; the answer is the same in all of them."""
        if self.world == 1:
            return wish
        wishes = torch.tensor(float(wish), device=self.device)
        distributed.all_reduce(wishes)
        return bool(wishes)


CPU = Place(torch.device("cpu"))


@contextmanager
def join(device: str) -> Iterator[Place]:
    """Take the place that torchrun gave this process in its environment; the only one without torchrun.

    Args:
        device: ``cpu`` (processes meet by gloo) or ``cuda`` (by NCCL, each process on a GPU of its own).

    Raises:
        UsageError: *device* is unknown or not there.
    """
    if device not in _BACKENDS:
        raise UsageError(f"unknown device {device!r}", hint=f"one of {', '.join(_BACKENDS)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("PyTorch finds no CUDA GPU here", hint='device = "cpu" in the configuration')
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    chosen = torch.device(device, int(os.environ.get("LOCAL_RANK", "0"))) if device == "cuda" else torch.device(device)
    if world == 1:
        yield Place(chosen)
        return
    distributed.init_process_group(_BACKENDS[device])
    try:
        yield Place(chosen, rank, world)
    finally:
        distributed.destroy_process_group()
