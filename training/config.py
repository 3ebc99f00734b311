"""What a training run is asked for: a TOML file whose keys are all known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import tomllib

from siamtrt import UsageError, documents

_Settings = TypeVar("_Settings")
_ELSEWHERE = ("device", "checkpoint_minutes")  # a run may go on with another value of these


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
class DataConfig:
    """The table ``[data]``: which pairs are drawn.

    Attributes:
        sources: where pairs come from.
        validation: names of the videos held out of every source; the weights that are kept are chosen by them.
        batch: pairs a step and process.
        validation_pairs: how many held-out pairs are measured.
        negative: share of pairs whose template shows another object.
        frame_gap: largest distance of template and search frame in a video.
        augmentation: how crops vary.
    """

    sources: tuple[SourceConfig, ...]
    validation: tuple[str, ...] = ()
    batch: int = 32
    validation_pairs: int = 128
    negative: float = 0.2
    frame_gap: int = 50
    augmentation: Augmentation = Augmentation()

    def __post_init__(self) -> None:
        _require_positive(self, "batch", "validation_pairs", "frame_gap")
        if not self.sources:
            raise ValueError("there is no source of pairs")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """The table ``[optimizer]``: AdamW and its rate.

    Attributes:
        lr: peak rate of a group whose share is one.
        warmup_steps: linear warm-up, followed by a cosine to zero at the last step.
        weight_decay: of AdamW.
        clip_norm: largest norm of all gradients together.
    """

    lr: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 1e-4
    clip_norm: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run. A key of a table may also stand at the top of the file, without its table.

    Attributes:
        steps: optimizer steps in all.
        data: see :class:`DataConfig`.
        optimizer: see :class:`OptimizerConfig`.
        task: what is learned: ``kind``, a key of ``training.tasks.KINDS``, and the settings of that task.
        ema: decay of the averaged weights that are validated and kept.
        validate_steps: how often the averaged weights are scored.
        checkpoint_minutes: how often the state is saved.
        seed: of everything drawn.
        device: ``cpu`` or ``cuda``.
    """

    steps: int
    data: DataConfig
    optimizer: OptimizerConfig = OptimizerConfig()
    task: dict[str, Any] = field(default_factory=dict)
    ema: float = 0.998
    validate_steps: int = 250
    checkpoint_minutes: float = 5.0
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        _require_positive(self, "steps", "validate_steps")

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read a TOML file.

        Raises:
            UsageError: it is absent, not TOML, or has an unknown, missing or mistyped key.
        """
        try:
            with path.open("rb") as stream:
                table = tomllib.load(stream)
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"cannot read the configuration {path}: {error}") from error
        return cls.from_table(table, str(path))

    @classmethod
    def from_table(cls, table: Mapping[str, Any], name: str = "the configuration") -> Config:
        """Build a configuration from parsed TOML, see :func:`parsed`; keys without a table are put into theirs."""
        tables = {name: get_type_hints(cls)[name] for name in ("data", "optimizer")}
        home = {key.name: name for name, settings in tables.items() for key in fields(settings)}
        nested: dict[str, Any] = {name: dict(table.get(name, {})) for name in (*tables, "task")}
        top = {key.name for key in fields(cls)} - set(nested)
        for key in set(table) - set(nested) - top:
            nested[home.get(key, "task")][key] = table[key]
        for key, settings in tables.items():  # by themselves first, so that a message names the table
            nested[key] = asdict(parsed(settings, nested[key], f"{name} [{key}]"))
        return parsed(cls, {**nested, **{key: table[key] for key in top & set(table)}}, name)

    def claim(self) -> str:
        """Digest of all settings that change weights: a saved state is good for these alone."""
        table = {key: value for key, value in asdict(self).items() if key not in _ELSEWHERE}
        return documents.digest(table)

    @property
    def teachers(self) -> tuple[Path, ...]:
        """The weights that ``task`` learns from: another file of that name would teach something else."""
        named = [entry["weights"] for entry in self.task.get("teachers", ())]
        return tuple(Path(name) for name in (*named, self.task.get("teacher")) if name)


def parsed(settings: type[_Settings], table: Mapping[str, Any], name: str) -> _Settings:
    """An instance of the dataclass *settings* from a parsed TOML table that messages call *name*.

    Raises:
        UsageError: an unknown, missing or mistyped key, or a value out of range.
    """
    try:
        return documents.build(settings, table)
    except (TypeError, ValueError) as error:
        known = ", ".join(get_type_hints(settings))
        raise UsageError(f"{name}: {error}", hint=f"known keys: {known}") from error


def _require_positive(settings: object, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} = {getattr(settings, name)} is not at least 1")
