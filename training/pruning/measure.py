"""Score the channels of a checkpoint on training pairs, resumably, and keep the scores in a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from networks.checkpoint import load
from networks.models import spec
from networks.quick import fix_depthwise
from siamtrt import UsageError, claim
from siamtrt.documents import Format
from siamtrt.files import sha256
from siamtrt.progress import progress_bar
from training.batches import Batch, collate
from training.config import Config
from training.pairs import PairSampler
from training.pruning.blocks import find_blocks
from training.pruning.groups import Group, find_groups
from training.pruning.score import MODES, Scores, fisher, leave_one_out, of_weights
from training.sources import open_sources, video_names

_FORMAT = Format("a file of scores", schema=1, kind="channel scores", hint="python -m training.pruning score")
_SEEING = ("fisher", "leave-one-out")

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is scored, and how.

    Attributes:
        model: a key of ``networks.models.MODELS``.
        start: the checkpoint.
        mode: one of ``training.pruning.score.MODES``.
        pairs: how many training pairs are seen.
        probes: random directions a pair, of the mode ``fisher``.
        seed: of the directions, or of random scores.
        batch: pairs run together; scores do not depend on it but for rounding.
        only: prefixes of the groups that are scored; all by default.
        blocks: residual blocks are scored too, so that they can go whole.
    """

    model: str
    start: Path
    mode: str = "fisher"
    pairs: int = 64
    probes: int = 4
    seed: int = 0
    batch: int = 8
    only: tuple[str, ...] = ()
    blocks: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"unknown way of scoring {self.mode!r}", hint=f"one of {', '.join(MODES)}")
        if self.blocks and self.mode not in _SEEING:
            raise UsageError(f"{self.mode} scores no whole blocks", hint=f"--mode {' or '.join(_SEEING)}")


@dataclass(frozen=True)
class ScoreFile:
    """Scores of the channels of one checkpoint.

    Attributes:
        model: a key of ``networks.models.MODELS``.
        start_sha256: digest of the checkpoint.
        mode: one of ``training.pruning.score.MODES``.
        seed: of what was drawn.
        pairs: how many were seen; 0 for a mode that sees none.
        probes: random directions a pair.
        groups: name -> what each channel is worth, mean over pairs.
        sources: names of the videos that pairs came from.
    """

    model: str
    start_sha256: str
    mode: str
    seed: int
    pairs: int
    probes: int
    groups: dict[str, list[float]]
    sources: tuple[str, ...] = field(default=())

    def save(self, path: Path) -> None:
        """Write it to *path*."""
        _FORMAT.save(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> ScoreFile:
        """Read *path*.

        Raises:
            ArtifactError: it is absent or no file of scores.
        """
        return _FORMAT.read(path, cls)


def measure(job: Job, config: Config, data: Path, record: Path) -> ScoreFile:
    """Score what *job* says.

    Args:
        job: what is scored.
        config: its sources, augmentation and seed say which pairs there are; held-out videos are left out.
        data: the folder of the sources.
        record: where finished batches are noted, so that an interrupted measurement goes on to the same bits.

    Raises:
        UsageError: *job* names no group.
        ArtifactError: the checkpoint, a source or the record is damaged.
    """
    network = load(job.model, job.start).requires_grad_(False)
    found = (*find_groups(network, job.model), *(find_blocks(network) if job.blocks else ()))
    groups = [group for group in found if group.name.startswith(job.only or "")]
    if not groups:
        raise UsageError(f"{job.model} has no group called {', '.join(job.only)}", hint="--only backbone.")
    digest, sees = sha256(job.start), job.mode in _SEEING
    if not sees:
        scores = {name: value.tolist() for name, value in of_weights(network, groups, job.mode, job.seed).items()}
        return ScoreFile(job.model, digest, job.mode, job.seed, 0, 0, scores)
    settings = {name: str(value) for name, value in asdict(job).items() if name != "start"}
    key = {"start_sha256": digest, "config": config.claim(), "job": settings}
    done: dict[str, Scores] = claim.finished(record, key)
    missing = [start for start in range(0, job.pairs, job.batch) if str(start) not in done]
    waiting = iter(missing)

    def note(part: dict[str, Tensor]) -> None:
        done[str(next(waiting))] = {name: value.tolist() for name, value in part.items()}
        claim.save(record, key, done)

    sampler = PairSampler(open_sources(config, data), config, spec(job.model))
    batches = progress_bar(_batches(sampler, missing, job), total=len(missing), desc=f"score {job.mode}", unit="batch")
    family = spec(job.model).family
    if job.mode == "fisher":
        fix_depthwise(network)  # gradients of what they read alone are far quicker
        fisher(network, family, groups, batches, probes=job.probes, seed=job.seed, done=note)
    else:
        leave_one_out(network, family, groups, batches, note)
    scores = _means(done, groups, job.pairs)
    probes = job.probes if job.mode == "fisher" else 0
    names = video_names(config, data)
    return ScoreFile(job.model, digest, job.mode, job.seed, job.pairs, probes, scores, names)


def _batches(sampler: PairSampler, starts: Sequence[int], job: Job) -> Iterator[Batch]:
    for start in starts:
        yield collate([sampler.pair(index) for index in range(start, min(start + job.batch, job.pairs))], start)


def _means(done: dict[str, Scores], groups: Sequence[Group], pairs: int) -> Scores:
    """The sums of all batches in the order of their pairs, over the number of pairs."""
    ordered = [done[start] for start in sorted(done, key=int)]
    return {
        group.name: (torch.tensor([part[group.name] for part in ordered], dtype=torch.float64).sum(0) / pairs).tolist()
        for group in groups
    }
