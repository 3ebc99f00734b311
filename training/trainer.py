"""The training loop: one process or several, interruptible, resumed exactly."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from networks.checkpoint import load, read_state
from networks.models import ModelSpec, build, spec
from networks.quick import fix_depthwise
from networks.siamrpn import SiamRPN
from networks.siamrpn_nano import NanoTrunk
from networks.tracker import TrackerNetwork
from siamtrt import ArtifactError, InferenceError, UsageError
from siamtrt.files import whole_file
from training.batches import Batch, batches, collate
from training.config import Config
from training.distil import Answer, Teacher, distillation, joint_answer
from training.labels import anchors, assign, only_where, with_hard_negatives
from training.losses import losses
from training.pairs import TEMPLATE_PX, PairSampler
from training.sources import open_sources
from training.start_weights import load_imagenet, load_nanotrack
from training.validate import validation_overlap

STATE_NAME, BEST_NAME = "state.pth", "best.pth"
_TRUNK = "backbone."
_CLIP_NORM = 10.0
_CONFIDENT = 0.7  # a teacher's box below this teaches its score alone

log = logging.getLogger(__name__)


class Trainer:
    """One run.

    Args:
        config: what to do.
        data: the folder of the sources.
        out: where ``state.pth`` (to resume from) and ``best.pth`` (the averaged weights that did best on the held-out
            videos) are kept.
        rank: number of this process.
        world: how many there are.

    Raises:
        UsageError: the model is not of the family ``rpn``.
        ArtifactError: a source is empty, or the state in *out* belongs to another configuration.
    """

    def __init__(self, config: Config, data: Path, out: Path, rank: int = 0, world: int = 1) -> None:
        self.config, self._out, self._rank, self._world = config, out, rank, world
        model = spec(config.model)
        if model.family != "rpn":
            raise UsageError(
                f"{config.model} is of the family {model.family}; training knows rpn", hint="siamrpn_lite0"
            )
        self.network = _start(config)
        self._trunk = self.network.get_submodule("backbone")
        self._grid = _grid(self.network, model)
        cells = round(math.sqrt(self._grid.shape[1] / (len(model.anchor_ratios) * len(model.anchor_scales))))
        self._teachers = [
            Teacher(teacher.model, Path(teacher.weights), config.model, cells) for teacher in config.teachers
        ]
        self._optimizer = torch.optim.AdamW(self._groups(), weight_decay=config.weight_decay)
        self._average = {key: value.clone().float() for key, value in self.network.state_dict().items()}
        self.history: list[dict[str, float]] = []
        self.step = 0
        self._best = 0.0
        self._sampler = PairSampler(open_sources(config, data), config, model.search_px)
        held_out = PairSampler(open_sources(config, data, validation=True), config, model.search_px, augmented=False)
        self._validation = [
            collate([held_out.pair(index) for index in range(start, min(start + 16, config.validation_pairs))])
            for start in range(0, config.validation_pairs, 16)
        ]
        self._resume()

    def run(self) -> None:
        """Train to the last step; Ctrl-C saves the state first."""
        forward = self._shared() if self._world > 1 else self.network
        saved = time.monotonic()
        stream = batches(self._sampler, self.step, self.config.steps, self.config.batch, self._rank, self._world)
        with tqdm(stream, total=self.config.steps, initial=self.step, desc="train", unit="step") as progress:
            try:
                for batch in progress:
                    values = self.train_step(batch, forward)
                    rate = progress.format_dict["rate"] or 0.0
                    progress.set_postfix(
                        values, pairs_s=round(rate * self.config.batch * self._world, 1), refresh=False
                    )
                    if self.step % self.config.validate_steps == 0 or self.step == self.config.steps:
                        self._validate(values)
                    if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                        self.save()
                        saved = time.monotonic()
            finally:
                self.save()

    def _shared(self) -> nn.Module:
        """The network with its gradients averaged over the processes, those of the trunk too once they are wanted."""
        for group in self._optimizer.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(True)  # parameters frozen now would be left out for ever
        return DistributedDataParallel(self.network, find_unused_parameters=True)

    def train_step(self, batch: Batch, forward: nn.Module | None = None) -> dict[str, float]:
        """One optimizer step on *batch*; returns the losses and the rate.

        Raises:
            InferenceError: the loss is no number; the weights are those of the step before.
        """
        rate = self._set_rates()
        self.network.train()
        self._trunk.eval()  # its norms keep the statistics of ImageNet
        with torch.autocast("cpu", torch.bfloat16):
            cls, loc = (forward or self.network)(batch.template, batch.search)
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step * self._world + self._rank)
        answer = self._answer(batch)
        boxes, known = told(batch, answer)
        targets = only_where(assign(self._grid, boxes, batch.positive, generator, self.config.least_overlap), known)
        if self.config.hard_negatives:
            targets = with_hard_negatives(targets, cls, self.config.hard_negatives)
        found = losses(cls, loc, targets, self.config.loc_weight)
        if answer:
            taught = distillation(cls, answer.foreground)
            found = replace(found, total=found.total + self.config.distil_weight * taught)
        if not found.total.isfinite():
            raise InferenceError(
                f"the loss of step {self.step} is {found.total.item()}", hint="lower lr in the configuration"
            )
        self._optimizer.zero_grad()
        found.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP_NORM)
        self._optimizer.step()
        self._average_weights()
        self.step += 1
        values = {"loss": found.total.item(), "cls": found.cls.item(), "loc": found.loc.item(), "lr": rate}
        self.history.append({"step": self.step, **values})
        return values

    def _answer(self, batch: Batch) -> Answer | None:
        if not self._teachers:
            return None
        return joint_answer([teacher.answer(batch.template, batch.search) for teacher in self._teachers])

    def save(self) -> None:
        """Write the state whole, so that a full disk leaves the last good one.

        Raises:
            ArtifactError: it cannot be written.
        """
        if self._rank:
            return
        state = {
            "config": asdict(self.config),
            "step": self.step,
            "best": self._best,
            "network": self.network.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            "history": self.history,
        }
        _save(state, self._out / STATE_NAME)

    def _resume(self) -> None:
        path = self._out / STATE_NAME
        if not path.is_file():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
            raise ArtifactError(f"{path} is not a whole state of a run", hint="remove it to start anew") from error
        if _comparable(state["config"]) != _comparable(asdict(self.config)):
            raise ArtifactError(f"{path} belongs to another configuration", hint="choose another --out")
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average, self.history = state["average"], state["history"]
        self.step, self._best = state["step"], state["best"]
        log.info("resumed %s at step %d", path, self.step)

    def _validate(self, values: dict[str, float]) -> None:
        if self._rank:
            return
        averaged = build(self.config.model)
        averaged.load_state_dict(self._average)
        overlap = validation_overlap(averaged.eval(), self._validation, self._grid)
        self.history[-1]["overlap"] = overlap
        log.info("step %d: loss %.3f, overlap on held-out pairs %.3f", self.step, values["loss"], overlap)
        if overlap >= self._best:
            self._best = overlap
            _save({key: value.clone() for key, value in self._average.items()}, self._out / BEST_NAME)

    def _groups(self) -> list[dict[str, Any]]:
        """Heads and neck; then the layers of the trunk that may train. The rest is frozen."""
        prefixes = tuple(_TRUNK + layer for layer in self.config.trunk_layers)
        heads, trunk = [], []
        for name, parameter in self.network.named_parameters():
            if not name.startswith(_TRUNK):
                heads.append(parameter)
            elif prefixes and name.startswith(prefixes) and parameter.requires_grad:
                trunk.append(parameter)
            parameter.requires_grad_(not name.startswith(_TRUNK))
        groups = [{"params": heads, "share": 1.0}]
        return groups + ([{"params": trunk, "share": self.config.trunk_lr_share}] if trunk else [])

    def _set_rates(self) -> float:
        trunk_trains = self.step >= self.config.trunk_from_step
        rate = learning_rate(self.config, self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["share"]
        for group in self._optimizer.param_groups[1:]:
            for parameter in group["params"]:
                parameter.requires_grad_(trunk_trains)
        return rate

    @torch.no_grad()
    def _average_weights(self) -> None:
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for key, value in self.network.state_dict().items():
            if value.is_floating_point():
                self._average[key].lerp_(value, 1 - decay)


def told(batch: Batch, answer: Answer | None) -> tuple[Tensor, Tensor]:
    """The boxes to learn (Bx4), and which of them are worth it: the truth, or a teacher's confident box without one."""
    if answer is None:
        return batch.boxes, batch.known
    sure = answer.confidence > _CONFIDENT
    return torch.where(batch.known[:, None], batch.boxes, answer.boxes), batch.known | (sure & batch.positive)


def learning_rate(config: Config, step: int) -> float:
    """The rate of the heads at *step*: a linear warm-up, then a cosine to zero."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.lr * 0.5 * (1 + math.cos(math.pi * done))


def _start(config: Config) -> TrackerNetwork:
    torch.manual_seed(config.seed)
    network = build(config.model)
    if config.start == "imagenet":
        load_imagenet(network.get_submodule("backbone"))
    elif Path(config.start).is_file():
        state = read_state(Path(config.start))
        if isinstance(network.get_submodule("backbone"), NanoTrunk) and "ban_head.cls_logits.0.weight" in state:
            load_nanotrack(network.get_submodule("backbone"), state)
        else:
            network = load(config.model, Path(config.start))
    elif config.start != "none":
        raise UsageError(f"unknown start {config.start!r}", hint="imagenet, none, or the path of weights")
    if not config.trunk_depthwise:
        fix_depthwise(network.get_submodule("backbone"))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _grid(network: TrackerNetwork, model: ModelSpec) -> Tensor:
    """The anchors of the map that *network* puts out."""
    if not isinstance(network, SiamRPN):
        raise UsageError("training knows SiamRPN++ only")
    with torch.no_grad():
        cls, _ = network.eval()(
            torch.zeros(1, 3, TEMPLATE_PX, TEMPLATE_PX), torch.zeros(1, 3, model.search_px, model.search_px)
        )
    return anchors(model.stride, model.anchor_ratios, model.anchor_scales, cls.shape[2], model.search_px)


def _save(state: dict[str, Any], path: Path) -> None:
    with whole_file(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # torch hides the disk's own error in one of these
            raise ArtifactError(
                f"cannot write {path}: {error}", hint="free some space; the last state is kept"
            ) from error


def _comparable(config: dict[str, Any]) -> str:
    return repr(config)
