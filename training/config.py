"""What a training run is asked for: a TOML file whose keys are all known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import tomllib

from siamtrt import UsageError

_Settings = TypeVar("_Settings")
_ELSEWHERE = ("device", "checkpoint_minutes")  # a run may go on with another value of these


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """One data source.

    Attributes:
        kind: ``videos``, ``masks``, ``composites`` or ``images``: see ``training.sources``.
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

    Source: Li et al., CVPR 2019, sec. 3.1 (the uniform shift of 64 px), and PySOT's configurations.
    """

    template_shift_px: float = 4.0
    template_scale: float = 0.05
    search_shift_px: float = 64.0
    search_scale: float = 0.18
    blur: float = 0.2
    gray: float = 0.25
    color: float = 0.25


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
    task: Mapping[str, Any] = field(default_factory=dict)
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
        own = {key.name for key in fields(cls)}
        tables = {"data": DataConfig, "optimizer": OptimizerConfig}
        home = {key.name: name for name, settings in tables.items() for key in fields(settings)}
        nested: dict[str, Any] = {name: dict(table.get(name, {})) for name in (*tables, "task")}
        for key, value in table.items():
            if key not in own:
                nested[home.get(key, "task")][key] = value
            elif key not in nested:
                nested[key] = value
        return parsed(cls, nested, name)

    def claim(self) -> str:
        """What a saved state is only good for: all settings but those that change no weight."""
        table = {key: value for key, value in asdict(self).items() if key not in _ELSEWHERE}
        return json.dumps(table, sort_keys=True)


def parsed(settings: type[_Settings], table: Mapping[str, Any], name: str) -> _Settings:
    """An instance of the dataclass *settings* from a parsed TOML table.

    Args:
        settings: its fields are numbers, strings, mappings, dataclasses, or tuples of strings or of dataclasses.
        table: by field name.
        name: of the table, for messages.

    Raises:
        UsageError: an unknown, missing or mistyped key, or a value out of range.
    """
    hints = get_type_hints(settings)
    try:
        return settings(**{key: _value(hints.get(key), key, value, name) for key, value in table.items()})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name}: {error}", hint=f"known keys: {', '.join(hints)}") from error


def _value(hint: Any, key: str, value: Any, name: str) -> Any:
    """*value* of *key* as the annotation *hint* wants it; without a hint it is left to the dataclass to refuse."""
    if get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        return tuple(_value(get_args(hint)[0], key, entry, name) for entry in value)
    if is_dataclass(hint) and isinstance(value, Mapping):
        return parsed(hint, value, f"{name} [{key}]")  # type: ignore[arg-type]
    wanted = (int, float) if hint is float else get_origin(hint) or hint
    if wanted is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
        raise TypeError(f"{key} = {value!r} is not of the kind {getattr(hint, '__name__', hint)}")
    return value


def _require_positive(settings: object, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} = {getattr(settings, name)} is not at least 1")
