"""Train a SiamRPN++ on pairs: anchors are classified and moved onto the object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from networks.checkpoint import load, read_state
from networks.genotype import read as read_genotype
from networks.models import ModelSpec, build, build_around, spec
from networks.quick import depthwise, fix_depthwise
from networks.siamrpn import SiamRPN
from networks.siamrpn_cell import SiamRPNCell, genotype_of
from networks.trunks.efficientnet_lite import EfficientNetLite0
from networks.trunks.nano import NanoTrunk
from siamtrt import ArtifactError, UsageError
from siamtrt.geometry import anchor_grid
from training.batches import Batch, batches, held_out
from training.config import Config, parsed
from training.distil import Answer, Teacher, distillation, joint_answer, told
from training.labels import POSITIVE_IOU, Targets, assign, only_where, with_hard_negatives
from training.losses import losses
from training.pairs import PairSampler
from training.place import Place
from training.sources import open_sources, require_truth
from training.start_weights import is_nanotrack, load_imagenet, load_nanotrack, load_trunk
from training.tasks.task import Group
from training.validate import maps, validation_overlap

_TRUNK = "backbone."


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """A published tracker to learn from: its name among the models, and the path of its weights."""

    model: str
    weights: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The table ``[task]`` of the kind ``siamrpn``.

    Attributes:
        model: a key of ``networks.models.MODELS`` of the family ``rpn``.
        kind: ``siamrpn``.
        start: ``imagenet`` for the trunk's published weights (EfficientNet-Lite0 alone has them), ``none`` for random
            ones, or the path of weights to go on from, whose widths and depths the network takes on; for a model on
            NanoTrackV3's trunk also the path of its weights; for one with a cell the path of weights with such a trunk.
        architecture: the cell of a model that has one: its string, or the path of a genotype file; of *start* then only
            the trunk is taken.
        trunk_lr_share: the trunk's rate relative to that of neck and heads once it trains.
        trunk_from_step: the trunk's upper stages train from this step on.
        trunk_layers: prefixes of the parameters that then train.
        trunk_depthwise: whether the trunk's depthwise convolutions train too; without them a step of MobileNetV3-small
            takes less than half as long on a CPU.
        least_overlap: an object whose best anchors overlap it by less than ``POSITIVE_IOU`` is learned on those within
            a sixth of the best, down to this overlap; the default leaves such objects out, as PySOT does.
        hard_negatives: how many background anchors that look most like the object join the random ones.
        teachers: whose answers are learned beside the truth, and instead of it where there is none.
        distil_weight: of what is learned from their score maps relative to the classification loss; above 0 with
            teachers.
        loc_weight: of the box loss relative to the classification loss.
        overlap_weight: of what the boxes lack of a whole overlap, beside the offsets in the box loss.
        half: compute in bfloat16. Not where depthwise convolutions train on a CPU: PyTorch's gradient of them varies
            from call to call there, and is now and then infinite.
    """

    model: str
    kind: str = "siamrpn"
    start: str = "imagenet"
    architecture: str = ""
    trunk_lr_share: float = 0.1
    trunk_from_step: int = 0
    trunk_layers: tuple[str, ...] = ()
    trunk_depthwise: bool = True
    least_overlap: float = POSITIVE_IOU
    hard_negatives: int = 0
    teachers: tuple[TeacherSettings, ...] = ()
    distil_weight: float = 0.0
    loc_weight: float = 1.2
    overlap_weight: float = 0.0
    half: bool = True

    def __post_init__(self) -> None:
        if self.teachers and self.distil_weight <= 0:
            raise ValueError(
                f"distil_weight = {self.distil_weight} is not above 0, so teachers cost and teach no scores"
            )


class SiamRPNTask:
    """What a SiamRPN++ learns from pairs: of every anchor whether it is the object, and how it has to move onto it.

    The truth says so. Teachers say it beside the truth, and alone for pieces of a video without one.
    Neck and heads train, and the layers of the trunk that the settings name; the trunk's norms keep their statistics.
    Weights are scored by the overlap of their best box with the truth on held-out pairs.

    Args:
        config: of the run.
        data: the folder of the sources.
        place: where the run computes.

    Raises:
        UsageError: the model is not of the family ``rpn``, ``start`` does not fit it, or a source has no truth and
            there is no teacher.
        ArtifactError: a source is empty or damaged.
    """

    network: nn.Module
    settings: Settings

    def __init__(self, config: Config, data: Path, place: Place) -> None:
        self.settings = self.read_settings(config)
        self._config, self.place = config, place
        if not self.settings.teachers:
            require_truth(config)
        model = spec(self.settings.model)
        if model.family != "rpn":
            raise UsageError(
                f"{self.settings.model} is of the family {model.family}; this task trains rpn", hint='kind = "ban"'
            )
        self.sampler = PairSampler(open_sources(config, data), config, model)
        apart = PairSampler(open_sources(config, data, validation=True), config, model, augmented=False)
        self.held_out = held_out(apart, config.data.validation_pairs)
        self.network = _start(self.settings, config.seed).to(place.device)
        self._trunk = self.network.get_submodule("backbone")
        self.grid, cells = _grid(self.network, model, place.device)
        self._teachers = [
            Teacher(teacher.model, Path(teacher.weights), self.settings.model, cells, place.device)
            for teacher in self.settings.teachers
        ]

    def read_settings(self, config: Config) -> Settings:
        """The table ``[task]``."""
        return parsed(Settings, config.task, "[task]")

    def groups(self) -> list[Group]:
        """Neck and heads; then the layers of the trunk that may train.

        Raises:
            UsageError: the trunk has no such layers, or half precision would spoil the gradients of some that train.
        """
        prefixes = tuple(_TRUNK + layer for layer in self.settings.trunk_layers)
        named = list(self.network.named_parameters())
        for prefix in prefixes:
            if not any(name.startswith(prefix) for name, _ in named):
                layers = ", ".join(name for name, _ in self._trunk.named_children())
                raise UsageError(f"trunk_layers: no {prefix[len(_TRUNK) :]!r} in this trunk", hint=f"one of {layers}")
        groups = [Group([parameter for name, parameter in named if not name.startswith(_TRUNK)])]
        trunk = [parameter for name, parameter in named if prefixes and name.startswith(prefixes)]
        trunk = [parameter for parameter in trunk if parameter.requires_grad]  # fixed ones do not come back
        if trunk:
            groups.append(Group(trunk, self.settings.trunk_lr_share, self.settings.trunk_from_step))
        if self.settings.half and self.place.device.type == "cpu":
            _require_dense(self.network, groups)
        return groups

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Pairs, drawn ahead on a thread."""
        return batches(self.sampler, first, last, self._config.data.batch, self.place.rank, self.place.world)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Classification, box, what teachers say, and the weighted sum of them all."""
        self.network.train()
        self._trunk.eval()  # its norms keep the statistics of the weights it started from
        cls, loc = maps(self.network, batch, self.place.device, half=self.settings.half)
        answer = joint_answer([teacher.answer(batch.template, batch.search) for teacher in self._teachers])
        settings = self.settings
        parts = losses(cls, loc, self.targets(batch, cls, answer), settings.loc_weight, settings.overlap_weight)
        named = {"loss": parts.total, "cls": parts.cls, "loc": parts.loc}
        if answer is None:
            return named
        taught = distillation(cls, answer.foreground)
        return {**named, "loss": parts.total + settings.distil_weight * taught, "distil": taught}

    def targets(self, batch: Batch, cls: Tensor, answer: Answer | None) -> Targets:
        """What the heads should say to *batch*, on the device of *cls*."""
        generator = torch.Generator().manual_seed(self._config.seed * 1_000_003 + batch.number)
        boxes, known = told(batch, answer)
        assigned = assign(self.grid, boxes, batch.positive, generator, self.settings.least_overlap)
        targets = only_where(assigned, known).to(self.place.device)
        hard = self.settings.hard_negatives
        return with_hard_negatives(targets, cls, hard) if hard else targets

    def score(self, network: nn.Module) -> float:
        """Mean overlap of the best-scored box with the truth on the held-out pairs."""
        return validation_overlap(network, self.held_out, self.grid, self.place.device)


def _start(settings: Settings, seed: int) -> nn.Module:
    """The network with the weights that training begins with."""
    torch.manual_seed(seed)
    cell = settings.architecture
    network = build_around(settings.model, read_genotype(cell)) if cell else build(settings.model)
    if settings.start == "imagenet":
        trunk = network.get_submodule("backbone")
        if not isinstance(trunk, EfficientNetLite0):
            raise UsageError(
                f"there are no ImageNet weights for the trunk of {settings.model}",
                hint='start = "none" or the path of weights; the default is "imagenet", which only siamrpn_lite0 has',
            )
        load_imagenet(trunk)
    elif Path(settings.start).is_file():
        trunk, path = network.get_submodule("backbone"), Path(settings.start)
        if isinstance(trunk, NanoTrunk) and is_nanotrack(state := read_state(path)):
            load_nanotrack(trunk, state)
        elif isinstance(network, SiamRPNCell) and (cell or genotype_of(read_state(path)) is None):
            load_trunk(trunk, path)
        else:
            network = load(settings.model, path)
    elif settings.start.endswith(".pth"):
        raise ArtifactError(
            f"no such file: {settings.start}, which the training starts from",
            hint="docs/training.md says where published weights are",
        )
    elif settings.start != "none":
        raise UsageError(f"unknown start {settings.start!r}", hint="imagenet, none, or the path of weights")
    if not settings.trunk_depthwise:
        trunk = network.get_submodule("backbone")
        fix_depthwise(trunk)
        for layer in depthwise(trunk).values():
            layer.requires_grad_(requires_grad=False)  # those of stride 2 too
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _require_dense(network: nn.Module, groups: list[Group]) -> None:
    """PyTorch's gradient of a depthwise weight in bfloat16 is now and then infinite on a CPU."""
    trained = {id(parameter) for group in groups for parameter in group.parameters}
    names = [name for name, layer in depthwise(network).items() if id(layer.weight) in trained]
    if names:
        raise UsageError(
            f"half = true, on a CPU, with depthwise convolutions that train: {names[0]}, {len(names)} in all",
            hint="half = false in [task], or trunk_depthwise = false where they are the trunk's",
        )


def _grid(network: nn.Module, model: ModelSpec, device: torch.device) -> tuple[Tensor, int]:
    """The anchors of the map that *network* puts out (centre and size in crop pixels, 4xN), and its side in cells."""
    if not isinstance(network, SiamRPN):
        raise UsageError("this task trains SiamRPN++ only", hint="siamrpn_nano")
    crops = (torch.zeros(1, 3, side, side, device=device) for side in (model.template_px, model.search_px))
    with torch.no_grad():
        cls, _ = network.eval()(*crops)
    return anchors(model, cls.shape[2]), cls.shape[2]


def anchors(model: ModelSpec, score_size: int) -> Tensor:
    """The anchors of a map: centre and size in crop pixels, 4xN."""
    grid = torch.from_numpy(anchor_grid(model.stride, model.anchor_ratios, model.anchor_scales, score_size))
    grid[:2] += model.search_px / 2
    return grid
