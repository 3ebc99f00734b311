"""A policy from the words of a command line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from runtime.policies.limits import Deadline, EnergyBucket, Hysteresis
from runtime.policies.plain import Fixed, Random, Replay, Threshold
from runtime.policies.policy import ExitPolicy, Value, budgeted, conditional, cumulative
from siamtrt import ArtifactError, ModelCard, UsageError
from siamtrt.documents import Format

TUNED = Format("exit thresholds", schema=1, hint="python -m benchmarks exits tune --help", kind="exits")
HELP = (
    "fixed:N, threshold:THETA[:peak|gate|gate-conditional|gate-budgeted|iou|keep], random:SEED:SHARE,SHARE,.., "
    "tuned:FILE:POINT or replay:FILE; then any of +hysteresis:UP,DOWN,HOLD[,SETTLE], +deadline:MS:FILE, "
    "+energy:MJ,MJ,..:REFILL:CAP, +audit:FRAMES"
)
_SUFFIX, _AUDIT, _HYSTERESIS = ".json", "audit", "hysteresis"
_GATES: Mapping[str, Tuple[Value, bool]] = {
    "gate": (cumulative, False),
    "gate-conditional": (conditional, False),
    "gate-budgeted": (budgeted, True),
}


@dataclass(frozen=True)
class TunedPoints:
    """Thresholds that were chosen on tuning videos, as ``policy.json`` holds them.

    Attributes:
        engines: file name -> digest of the engines they were chosen for; scores move with precision.
        score: whose thresholds they are.
        points: name -> threshold of each exit but the last; ``0.0`` is the first exit alone, ``1.0`` the last.
        default: name of the point to use.
        stage_p99_ns: the 99th percentile of each stage's time on the machine of the tuning, with crop and decode.
        sequences: name -> digest of the truth of each tuning video.
        figures: what the tuning measured at each point: share of the cost and mean overlap.
    """

    engines: Dict[str, str]
    score: str
    points: Dict[str, List[float]]
    default: str
    stage_p99_ns: List[int]
    sequences: Dict[str, str]
    figures: Dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """Who decides for one target, and how often the last exit runs all the same to be compared with; 0 for never."""

    policy: ExitPolicy
    audit_every: int = 0


def parse(text: str, card: ModelCard, engines: Mapping[str, str]) -> Decision:
    """Make the policy that *text* describes, see ``HELP``.

    Args:
        text: of the command line.
        card: of the model, which says how many exits there are and what they say of themselves.
        engines: file name -> digest of the engines that are opened.

    Raises:
        UsageError: it is no policy, or not one of this model.
        ArtifactError: a file it names is damaged, or of other engines.
    """
    base, *limits = _parts(text)
    policy, audit_every = _policy(_BASES, base, card, engines, ()), 0
    # Hysteresis raises the depth that a frame starts at without being asked, so whatever limits that is around it.
    for limit in sorted(limits, key=lambda words: not words.startswith(f"{_HYSTERESIS}:")):
        name, _, words = limit.partition(":")
        if name == _AUDIT:
            if not words.isdecimal():
                raise UsageError(f"{limit!r} is not a policy", hint=HELP)
            audit_every = int(words)
        else:
            policy = _policy(_LIMITS, limit, card, engines, (policy,))
    return Decision(policy, audit_every)


def read_tuned(path: Path, engines: Mapping[str, str]) -> TunedPoints:
    """Read thresholds, and prove that they were chosen for these engines.

    Raises:
        ArtifactError: the file is absent, damaged, or of other engines.
    """
    tuned = TUNED.read(path, TunedPoints)
    if tuned.engines != dict(engines):
        raise ArtifactError(
            f"the thresholds of {path} were chosen for other engines, whose scores are others", hint=TUNED.hint
        )
    return tuned


def files_of(text: str) -> List[Tuple[str, Path]]:
    """The files that the policy *text* is made of, each with the word that names it, such as ``tuned``."""
    files = []
    for part in _parts(text):
        name, _, words = part.partition(":")
        if name in _FILES:
            files.append((name, _FILES[name](words)))
    return files


def _parts(text: str) -> List[str]:
    """The policy itself, then what is around it."""
    return re.split(rf"\+(?=(?:{'|'.join([*_LIMITS, _AUDIT])}):)", text)


def _policy(
    makers: Mapping[str, Callable[..., ExitPolicy]],
    text: str,
    card: ModelCard,
    engines: Mapping[str, str],
    inner: Sequence[ExitPolicy],
) -> ExitPolicy:
    name, *words = text.split(":")
    if name not in makers:
        raise UsageError(f"unknown policy {text!r}", hint=HELP)
    try:
        return makers[name](*inner, card, engines, *words)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{text!r} is not a policy: {error}", hint=HELP) from error


def _fixed(card: ModelCard, _engines: Mapping[str, str], number: str) -> ExitPolicy:
    return Fixed(int(number), len(card.search.stages))


def _random(card: ModelCard, _engines: Mapping[str, str], seed: str, mix: str) -> ExitPolicy:
    return Random(int(seed), _numbers(mix), len(card.search.stages))


def _threshold(card: ModelCard, _engines: Mapping[str, str], theta: str, score: str = "peak") -> ExitPolicy:
    value, strict = _GATES.get(score, (conditional, False))
    name = score.split("-")[0]
    _require_score(card, name)
    return Threshold(name, [float(theta)] * (len(card.search.stages) - 1), value, strict=strict)


def _path_and_point(words: str) -> Tuple[Path, str]:
    """The file of thresholds, and the name of a point or nothing."""
    if words.endswith(_SUFFIX):
        return Path(words), ""
    path, _, name = words.rpartition(":")
    return Path(path), name


def _tuned(card: ModelCard, engines: Mapping[str, str], *words: str) -> ExitPolicy:
    path, name = _path_and_point(":".join(words))
    tuned = read_tuned(path, engines)
    name = name or tuned.default
    if name not in tuned.points:
        raise UsageError(f"{path} has no point {name!r}", hint=f"one of {', '.join(tuned.points)}")
    _require_score(card, tuned.score)
    return Threshold(tuned.score, tuned.points[name])


def _replay(card: ModelCard, _engines: Mapping[str, str], *words: str) -> ExitPolicy:
    path = ":".join(words)
    try:
        lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
        exits = [line["exit"] for line in lines if line.get("exit") is not None]
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise ArtifactError(f"{path} is not the boxes.jsonl of a run: {error}", hint="name one with exits") from error
    return Replay(exits, len(card.search.stages))


def _hysteresis(inner: ExitPolicy, card: ModelCard, _engines: Mapping[str, str], numbers: str) -> ExitPolicy:
    up, down, hold, *settle = numbers.split(",")
    count = len(card.search.stages)
    return Hysteresis(inner, float(up), float(down), int(hold), count, settle=int(*settle) if settle else 0)


def _deadline(
    inner: ExitPolicy, _card: ModelCard, engines: Mapping[str, str], limit_ms: str, *words: str
) -> ExitPolicy:
    return Deadline(inner, round(float(limit_ms) * 1e6), read_tuned(Path(":".join(words)), engines).stage_p99_ns)


def _energy(
    inner: ExitPolicy, card: ModelCard, _engines: Mapping[str, str], energies: str, refill: str, cap: str
) -> ExitPolicy:
    energy_mj = _numbers(energies)
    if len(energy_mj) != len(card.search.stages):
        raise UsageError(f"{len(energy_mj)} energies for {len(card.search.stages)} exits", hint="one up to each exit")
    return EnergyBucket(inner, energy_mj, float(refill), float(cap))


_BASES: Mapping[str, Callable[..., ExitPolicy]] = {
    "fixed": _fixed,
    "random": _random,
    "threshold": _threshold,
    "tuned": _tuned,
    "replay": _replay,
}
_LIMITS: Mapping[str, Callable[..., ExitPolicy]] = {
    _HYSTERESIS: _hysteresis,
    "deadline": _deadline,
    "energy": _energy,
}
_FILES: Mapping[str, Callable[[str], Path]] = {
    "tuned": lambda words: _path_and_point(words)[0],
    "replay": Path,
    "deadline": lambda words: Path(words.partition(":")[2]),
}


def _require_score(card: ModelCard, name: str) -> None:
    for stage in card.search.stages[:-1]:
        if stage.exit is None or name not in stage.exit.scores:
            known = ", ".join(stage.exit.scores) if stage.exit else "none"
            raise UsageError(f"the exits of {card.name} have no score {name!r}", hint=f"they have: {known}")


def _numbers(text: str) -> List[float]:
    return [float(word) for word in text.split(",")]
