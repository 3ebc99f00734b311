"""Teach a cut tracker to answer as the whole one does: no label is needed, so every family can be taught."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from networks.checkpoint import load
from networks.models import ModelSpec, spec
from networks.quick import fix_depthwise
from networks.tracker import TrackerNetwork
from siamtrt import UsageError
from siamtrt.pruning import record_of
from training.batches import Batch, batches, held_out
from training.config import Config, parsed
from training.labels import overlaps
from training.pairs import PairSampler
from training.place import Place
from training.pruning.response import Response, box_error, score_divergence
from training.sources import open_sources
from training.tasks.ban import grid as points
from training.tasks.siamrpn import anchors
from training.tasks.task import Group
from training.validate import best_boxes

TRUNK = "backbone."
STEMS = ("backbone.stem", "backbone.features.0.", "backbone.conv1", "backbone.bn1", "backbone.layer0")
_FUSION = ("rpn_head.cls_weight", "rpn_head.loc_weight")
_SCALE_MAPS = 100.0  # a mean over cells, of which nearly all are background, is small


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The table ``[task]`` of the kind ``pruned``.

    Attributes:
        model: a key of ``networks.models.MODELS``.
        kind: ``pruned``.
        start: path of the cut weights, with the record of the cut beside them.
        teacher: path of the whole weights.
        maps: weight of the divergence of the scores, in hundreds.
        boxes: weight of the squared error of the offsets where the teacher sees the object.
        features: weight of the relative squared error of the kernels and features that the teacher has too.
        trunk_lr_share: the trunk's rate relative to that of neck and heads.
        trunk_depthwise: whether the trunk's depthwise convolutions of stride 1 train too.
        half: both compute in bfloat16.
    """

    model: str
    kind: str = "pruned"
    start: str = ""
    teacher: str = ""
    maps: float = 1.0
    boxes: float = 1.0
    features: float = 1.0
    trunk_lr_share: float = 0.2
    trunk_depthwise: bool = False
    half: bool = True


@dataclass(frozen=True)
class _Answer:
    """What a network says of a batch: its maps, and its kernels and features by name."""

    response: Response
    interface: dict[str, Tensor]


class PrunedTask:
    """A cut tracker that learns from the whole one, at scores, boxes and features, without a label.

    The stem, the fusion weights and the statistics of the norms stay as they are.

    Args:
        config: of the run.
        data: the folder of the sources.
        place: where the run computes.

    Raises:
        UsageError: start or teacher is not named.
        ArtifactError: one of them is no checkpoint of the model, or a source is empty or damaged.
    """

    network: nn.Module

    def __init__(self, config: Config, data: Path, place: Place) -> None:
        self.settings, self._place, self._config = parsed(Settings, config.task, "[task]"), place, config
        start, teacher = Path(self.settings.start), Path(self.settings.teacher)
        if not (start.is_file() and teacher.is_file()):
            raise UsageError(
                "distillation needs the cut weights and the whole ones", hint="[task] start and teacher; make prune"
            )
        model = spec(self.settings.model)
        self._family, self._model = model.family, model
        student = load(self.settings.model, start)
        self._teacher = load(self.settings.model, teacher).requires_grad_(False).to(place.device)
        self._kept = _kept_channels(student, self.settings.model, start)
        if not self.settings.trunk_depthwise:
            fix_depthwise(student.get_submodule(TRUNK.rstrip(".")))
        self.network = student.to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._teacher = self._teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._sampler = PairSampler(open_sources(config, data), config, model)
        apart = PairSampler(open_sources(config, data, validation=True), config, model, augmented=False)
        self._held_out = held_out(apart, config.data.validation_pairs)
        self._taught: list[Tensor] = []

    def groups(self) -> list[Group]:
        """Neck and heads; then the trunk without its stem."""
        named = [(name, value) for name, value in self.network.named_parameters() if value.requires_grad]
        named = [(name, value) for name, value in named if not name.startswith((*STEMS, *_FUSION))]
        heads = [value for name, value in named if not name.startswith(TRUNK)]
        trunk = [value for name, value in named if name.startswith(TRUNK)]
        return [Group(heads), Group(trunk, self.settings.trunk_lr_share)]

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Pairs, drawn ahead on a thread."""
        return batches(self._sampler, first, last, self._config.data.batch, self._place.rank, self._place.world)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Scores, boxes, features, and their weighted sum."""
        self.network.eval()
        whole = self._teachers(batch)
        own = self._answer(self.network, batch)
        maps = _SCALE_MAPS * score_divergence(whole.response, own.response).mean()
        boxes = box_error(whole.response, own.response).mean()
        features = self._feature_error(whole.interface, own.interface)
        weights = self.settings
        total = weights.maps * maps + weights.boxes * boxes + weights.features * features
        return {"loss": total, "maps": maps, "boxes": boxes, "features": features}

    def score(self, network: nn.Module) -> float:
        """Mean overlap of the network's best box with the teacher's on held-out pairs: a label would say less."""
        taught = self._taught or [self._best(self._teacher, batch) for batch in self._held_out]
        self._taught = taught
        own = [self._best(network, batch) for batch in self._held_out]
        pairs = [
            overlaps(one[:, None], other[None])[0, 0]
            for one, other in zip(torch.cat(own), torch.cat(taught), strict=True)
        ]
        return float(torch.stack(pairs).mean())

    def _teachers(self, batch: Batch) -> _Answer:
        with torch.no_grad():
            return self._answer(self._teacher, batch)

    def _best(self, network: nn.Module, batch: Batch) -> Tensor:
        cls, loc = self._maps_of(network, batch)
        return best_boxes(cls, loc, grid(self._model, cls.shape[-1]))

    @torch.no_grad()
    def _maps_of(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        with self._precision():
            cls, loc = network(batch.template.to(self._place.device), batch.search.to(self._place.device))
        return cls.float().cpu(), loc.float().cpu()

    def _answer(self, network: nn.Module, batch: Batch) -> _Answer:
        assert isinstance(network, TrackerNetwork)  # load() says so, the loop's copies keep the class
        with self._precision():
            kernels = network.template(batch.template.to(self._place.device))
            features = network.search(batch.search.to(self._place.device))
            cls, loc = network.correlate(features, kernels)
        return _Answer(Response.of(cls, loc, self._family), {**kernels, **features})

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._place.device.type, torch.bfloat16, enabled=self.settings.half)

    def _feature_error(self, whole: dict[str, Tensor], own: dict[str, Tensor]) -> Tensor:
        """Relative squared error over the channels that both have, mean over kernels and features."""
        errors = []
        for name, tensor in own.items():
            wanted = whole[name].float()
            if name in self._kept:
                wanted = wanted[:, self._kept[name]]
            if wanted.shape == tensor.shape:
                power = wanted.square().mean().clamp(min=torch.finfo(torch.float32).tiny)
                errors.append((tensor.float() - wanted).square().mean() / power)
        return torch.stack(errors).mean()


def grid(model: ModelSpec, score_size: int) -> Tensor:
    """The anchors (4xN) or points (2xN) of a map, in crop pixels."""
    return points(model, score_size) if model.family == "ban" else anchors(model, score_size)


def _kept_channels(student: TrackerNetwork, model: str, start: Path) -> dict[str, list[int]]:
    """Name of each kernel and feature -> the channels of the whole network that the *student* has of it."""
    record = record_of(start)
    if record is None:
        return {}
    kept = {}
    for name, layer in _makers(student, model).items():
        norm = f"{layer}.1"  # its channels are those that are made; those of the convolution before may be read ones
        group = next((entry for entry in record.groups if norm in entry.members), None)
        if group is not None and group.before != len(group.kept):
            kept[name] = list(group.kept)
    return kept


@torch.no_grad()
def _makers(network: TrackerNetwork, model: str) -> dict[str, str]:
    """Name of each kernel and feature -> the module that makes it: they are made in the order of their names."""
    called: list[str] = []
    ends = (".conv_kernel", ".conv_search")
    hooks = [
        module.register_forward_hook(lambda *_, name=name: called.append(name))
        for name, module in network.named_modules()
        if name.endswith(ends)
    ]
    try:
        kernels = network.template(torch.zeros(1, 3, spec(model).template_px, spec(model).template_px))
        features = network.search(torch.zeros(1, 3, spec(model).search_px, spec(model).search_px))
    finally:
        for hook in hooks:
            hook.remove()
    return dict(zip([*kernels, *features], called, strict=True))
