"""Train a task step by step: rates, averaged weights, interruption, exact resumption, one process or several."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from siamtrt import ArtifactError, InferenceError
from siamtrt.files import sha256, whole_file
from siamtrt.progress import progress_bar
from training.config import Config
from training.interruption import Interruption
from training.place import CPU, Place
from training.tasks.task import Task

STATE_NAME, BEST_NAME = "state.pth", "best.pth"
AVERAGE = "average"  # the key of the averaged weights in a state
_LOWER_RATE = "lower lr in the configuration"

History = list[dict[str, float]]

log = logging.getLogger(__name__)


class Loop:
    """A training run that can be interrupted and resumed.

    A resumed run ends with the same bits as an uninterrupted one wherever PyTorch repeats its own. On a CPU it does not
    for the weights of depthwise convolutions in bfloat16 (a trunk that trains): their gradients vary in the last bits.

    Args:
        task: what is trained.
        config: steps, rates, averaging.
        out: where ``state.pth`` (to resume from) and ``best.pth`` (the averaged weights of the best score) are kept.
        place: where the run computes.
        report: called with the history whenever the state has been saved.

    Attributes:
        step: how many steps are done.
        history: of each step its number, the task's losses and the rate; the score where the weights were scored.

    Raises:
        ArtifactError: the state in *out* is damaged, or belongs to another configuration, to other teachers or to
            another number of processes, which would draw other pairs.
    """

    def __init__(
        self,
        task: Task,
        config: Config,
        out: Path,
        place: Place = CPU,
        report: Callable[[History], None] = lambda _: None,
    ) -> None:
        self.task, self.config, self.step = task, config, 0
        self.history: History = []
        self._out, self._place, self._report = out, place, report
        self._best = -math.inf
        self._claim = {
            "configuration": config.claim(),
            "number of processes": place.world,
            "teacher": {str(path): sha256(path) for path in config.teachers},
        }
        self._groups = task.groups()
        task.network.requires_grad_(False)
        self._optimizer = torch.optim.AdamW(
            [{"params": list(group.parameters), **group.options} for group in self._groups],
            weight_decay=config.optimizer.weight_decay,
        )
        self._average = {key: value.clone().float() for key, value in task.network.state_dict().items()}
        self._resume()

    def run(self, until: int | None = None) -> None:
        """Train to the last step. Ctrl-C and SIGTERM end the run after the step they meet, with its state saved.

        Args:
            until: stop after so many steps in all; the next call goes on. None for those of the configuration.

        Raises:
            KeyboardInterrupt: the run was interrupted.
            InferenceError: see :meth:`train_step`.
            ArtifactError: *out* cannot be written, or what the task reads is damaged.
        """
        self.save()  # a folder that cannot be written is found out now
        saved, last = time.monotonic(), self.config.steps if until is None else min(until, self.config.steps)
        stream = self.task.batches(self.step, last)
        bar = progress_bar(stream, total=last, initial=self.step, desc="train", unit="step")
        with Interruption() as interruption, bar:
            try:
                self._score_when_due()  # the run may have been interrupted before
                for batch in bar:
                    bar.set_postfix(self.train_step(batch), refresh=False)
                    if self._place.agree(interruption.wanted):
                        raise KeyboardInterrupt
                    self._score_when_due()
                    if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                        self.save()
                        saved = time.monotonic()
            finally:
                self.save()

    def train_step(self, batch: Any) -> dict[str, float]:
        """One optimizer step on *batch*; returns the losses and the rate.

        Raises:
            InferenceError: the loss or its gradient is no number; weights and statistics are those of the step before.
        """
        network, rate = self.task.network, self._set_rates()
        self._optimizer.zero_grad()
        with _statistics_kept(network):
            losses = self.task.losses(batch)
            if not losses["loss"].isfinite():
                raise InferenceError(f"the loss of step {self.step} is {losses['loss'].item()}", hint=_LOWER_RATE)
            losses["loss"].backward()  # type: ignore[no-untyped-call]
            self._place.average_gradients(network.parameters())
            norm = nn.utils.clip_grad_norm_(network.parameters(), self.config.optimizer.clip_norm)
            if not norm.isfinite():
                raise InferenceError(f"the gradient of step {self.step} is {norm.item()}", hint=_LOWER_RATE)
        self._optimizer.step()
        self._average_weights()
        self.step += 1
        values = {**{name: value.item() for name, value in losses.items()}, "lr": rate}
        self.history.append({"step": self.step, **values})
        return values

    def save(self) -> None:
        """Write the state whole, so that a full disk leaves the last good one; then report.

        Raises:
            ArtifactError: it cannot be written.
        """
        if self._place.rank:
            return
        state = {
            "claim": self._claim,
            "step": self.step,
            "best": self._best,
            "network": self.task.network.state_dict(),
            AVERAGE: self._average,
            "optimizer": self._optimizer.state_dict(),
            "history": self.history,
        }
        _save(state, self._out / STATE_NAME)
        self._report(self.history)

    def _resume(self) -> None:
        path = self._out / STATE_NAME
        if not path.is_file():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
            raise ArtifactError(f"{path} is not a whole state of a run", hint="remove it to start anew") from error
        saved = state.get("claim")
        if not isinstance(saved, dict):
            hint = "go on with the version that began it, or choose another --out"
            raise ArtifactError(f"{path} is of an earlier version, which drew other pairs", hint=hint)
        differing = [name for name, value in self._claim.items() if saved.get(name) != value]
        if differing:
            raise ArtifactError(f"{path} belongs to another {' and '.join(differing)}", hint="choose another --out")
        self.task.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        for key, value in state[AVERAGE].items():
            self._average[key].copy_(value)
        self.step, self.history, self._best = state["step"], state["history"], state["best"]
        log.info("resumed %s at step %d", path, self.step)

    def _score_when_due(self) -> None:
        """Score the averaged weights at every ``validate_steps`` and at the end, and keep them if they are the best."""
        due = self.step and (self.step % self.config.validate_steps == 0 or self.step == self.config.steps)
        if self._place.rank or not due or "score" in self.history[-1]:
            return
        averaged = copy.deepcopy(self.task.network)
        averaged.load_state_dict(self._average)
        with torch.no_grad():
            score = self.task.score(averaged.eval())
        log.info("step %d: loss %.3f, score on held-out data %.3f", self.step, self.history[-1]["loss"], score)
        if score >= self._best:
            self._best = score
            _save({key: value.clone() for key, value in self._average.items()}, self._out / BEST_NAME)
        self.history[-1]["score"] = score

    def _set_rates(self) -> float:
        """Give each group its rate and freeze those whose step has not come; returns the rate of a share of one."""
        rate = learning_rate(self.config, self.step)
        for group, options in zip(self._groups, self._optimizer.param_groups, strict=True):
            options["lr"] = group.lr_share * (rate if group.scheduled else self.config.optimizer.lr)
            for parameter in group.parameters:
                parameter.requires_grad_(self.step >= group.from_step)
        return rate

    @torch.no_grad()
    def _average_weights(self) -> None:
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for key, value in self.task.network.state_dict().items():
            if value.is_floating_point():
                self._average[key].lerp_(value, 1 - decay)


def learning_rate(config: Config, step: int) -> float:
    """The rate at *step* of a group whose share is one: a linear warm-up, then a cosine to zero."""
    optimizer = config.optimizer
    if step < optimizer.warmup_steps:
        return optimizer.lr * (step + 1) / optimizer.warmup_steps
    done = (step - optimizer.warmup_steps) / max(1, config.steps - optimizer.warmup_steps)
    return optimizer.lr * 0.5 * (1 + math.cos(math.pi * done))


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """Put the buffers of *network* back if the block fails: a forward pass moves the statistics of its norms."""
    before = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    except BaseException:
        for buffer, value in before:
            buffer.copy_(value)
        raise


def _save(state: dict[str, Any], path: Path) -> None:
    with whole_file(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # torch hides the disk's own error in one of these
            raise ArtifactError(
                f"cannot write {path}: {error}", hint="free some space; the last state is kept"
            ) from error
