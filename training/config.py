"""What a training run is asked for: a TOML file, every key known."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import tomllib

from siamtrt import UsageError

_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,)}


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """One data source.

    Attributes:
        kind: ``videos``, ``masks``, ``composites``, ``images`` or, without truth, ``patches``: see
            ``training.sources``.
        path: folder below ``--data``.
        weight: its share of the pairs, relative to the others.
        backgrounds: for ``composites``: the folder of images that objects are put on.
    """

    kind: str
    path: str
    weight: float = 1.0
    backgrounds: str = ""


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """A published tracker to learn from: its name among the models, and the path of its weights."""

    model: str
    weights: str


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How crops vary; shifts in pixels of the crop, the rest as shares or probabilities.

    ``search_zoom`` scales both sides alike, as a tracker whose last box had a wrong size would cut; ``search_scale``
    draws each side for itself. ``flip`` mirrors both crops.

    Source: Li et al., CVPR 2019, sec. 3.1 (the uniform shift of 64 px), and PySOT's configurations.
    """

    template_shift_px: float = 4.0
    template_scale: float = 0.05
    search_shift_px: float = 64.0
    search_scale: float = 0.18
    search_zoom: float = 0.0
    blur: float = 0.2
    gray: float = 0.25
    color: float = 0.25
    flip: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run.

    Attributes:
        model: a key of ``networks.models.MODELS`` of the family ``rpn``.
        start: ``imagenet`` for the trunk's published weights, ``none`` for random ones, or the path of weights to go on
            from: those of the model, or NanoTrackV3's for a model on its trunk.
        sources: where pairs come from.
        validation: names of the videos held out of every source; checkpoints are chosen by them.
        steps: optimizer steps in all.
        batch: pairs a step and process.
        lr: peak rate of neck and heads.
        trunk_lr_share: the trunk's rate relative to ``lr`` once it trains.
        trunk_from_step: the trunk's upper stages train from this step on.
        trunk_layers: prefixes of the parameters that then train.
        trunk_depthwise: whether the trunk's depthwise convolutions of stride 1 train too; without them a step of
            MobileNetV3-small takes less than half as long on a CPU.
        warmup_steps: linear warm-up, followed by a cosine to zero.
        weight_decay: of AdamW.
        negative: share of pairs whose template shows another object.
        frame_gap: largest distance of template and search frame in a video.
        least_overlap: an object whose best anchors overlap it by less than ``POSITIVE_IOU`` is learned on those within
            a sixth of the best, down to this overlap; the default leaves such objects out, as PySOT does.
        hard_negatives: how many background anchors that look most like the object join the random ones.
        teachers: whose answers are learned beside the truth, and instead of it where there is none.
        distil_weight: of what is learned from them relative to the classification loss.
        loc_weight: of the box loss relative to the classification loss.
        ema: decay of the averaged weights that are validated and kept.
        checkpoint_minutes: how often the state is saved.
        validate_steps: how often the held-out pairs are measured.
        validation_pairs: how many there are.
        seed: of everything drawn.
        augmentation: see :class:`Augmentation`.
    """

    model: str
    sources: tuple[SourceConfig, ...]
    validation: tuple[str, ...]
    steps: int
    start: str = "imagenet"
    batch: int = 32
    lr: float = 1e-3
    trunk_lr_share: float = 0.1
    trunk_from_step: int = 0
    trunk_layers: tuple[str, ...] = ()
    trunk_depthwise: bool = True
    warmup_steps: int = 100
    weight_decay: float = 1e-4
    negative: float = 0.2
    frame_gap: int = 50
    least_overlap: float = 0.6
    hard_negatives: int = 0
    teachers: tuple[TeacherConfig, ...] = ()
    distil_weight: float = 0.0
    loc_weight: float = 1.2
    ema: float = 0.998
    checkpoint_minutes: float = 5.0
    validate_steps: int = 250
    validation_pairs: int = 128
    seed: int = 0
    augmentation: Augmentation = Augmentation()

    def __post_init__(self) -> None:
        for field in fields(self):
            wanted = _KINDS.get(str(field.type))
            value = getattr(self, field.name)
            if wanted and not isinstance(value, wanted):
                raise TypeError(f"{field.name} = {value!r} is not of the kind {field.type}")
        for name in ("steps", "batch", "validation_pairs", "validate_steps", "frame_gap"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} is not at least 1")
        if not self.sources:
            raise ValueError("there is no source of pairs")

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read a TOML file.

        Raises:
            UsageError: it is absent, not TOML, or has an unknown or missing key.
        """
        try:
            with path.open("rb") as stream:
                table = tomllib.load(stream)
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"cannot read the configuration {path}: {error}") from error
        try:
            return cls.from_table(table)
        except (TypeError, ValueError) as error:
            known = ", ".join(field.name for field in fields(cls))
            raise UsageError(f"{path}: {error}", hint=f"known keys: {known}") from error

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Config:
        """Build a configuration from parsed TOML; unknown keys raise TypeError."""
        nested = dict(table)
        nested["sources"] = tuple(SourceConfig(**source) for source in table.get("sources", ()))
        nested["teachers"] = tuple(TeacherConfig(**teacher) for teacher in table.get("teachers", ()))
        nested["augmentation"] = Augmentation(**table.get("augmentation", {}))
        for key in ("validation", "trunk_layers"):
            nested[key] = tuple(table.get(key, ()))
        return cls(**nested)
