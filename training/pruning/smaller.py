"""Cut a checkpoint to a budget and write the smaller one with its proof and its record."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from networks.checkpoint import load, read_state
from networks.tracker import TrackerNetwork
from siamtrt import ArtifactError, Manifest, UsageError
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.pruning import FILE_NAME, PrunedGroup, PruningRecord, record_of
from training.half import write_half
from training.pruning.allocate import Budget, allocate, least_width
from training.pruning.blocks import find_blocks
from training.pruning.cut import cut_state, rebuilt
from training.pruning.groups import Group, find_groups
from training.pruning.measure import ScoreFile
from training.pruning.proof import prove
from training.pruning.times import WidthTable
from training.pruning.work import Layer, graph_work, layers_of, search_macs, weight_count

CUT_NAME = "pruned.pth"
STAGE = "training.pruning"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Order:
    """How small a network is to become.

    Attributes:
        macs: share of the whole network's multiply-accumulates in the search graph; or
        params: weights of the network; or
        latency_ms: milliseconds of the search graph by ``table``.
        table: of ``python -m benchmarks widths``.
        multiple: every width that changes becomes a multiple of it.
        variant: what the smaller network is called.
    """

    macs: float | None = None
    params: float | None = None
    latency_ms: float | None = None
    table: Path | None = None
    multiple: int = 16
    variant: str = "pruned"

    def __post_init__(self) -> None:
        if sum(limit is not None for limit in (self.macs, self.params, self.latency_ms)) != 1:
            raise UsageError("name one budget", hint="--macs 0.62, --params 12e6, or --latency-ms X --table FILE")
        if (self.latency_ms is None) != (self.table is None):
            raise UsageError("--latency-ms and --table go together", hint="python -m benchmarks widths makes the table")

    def budget(self, layers: tuple[Layer, ...], whole_macs: int) -> Budget:
        """The limit and how a network is measured by it."""
        if self.macs is not None:
            return Budget(lambda widths: search_macs(layers, widths), self.macs * whole_macs, "multiply-accumulates")
        if self.params is not None:
            return Budget(lambda widths: weight_count(layers, widths), self.params, "parameters")
        assert self.table is not None  # __post_init__ says so
        table = WidthTable.load(self.table)
        return Budget(lambda widths: table.search_ms(layers, widths), float(self.latency_ms or 0), "ms")

    @property
    def limits(self) -> dict[str, float]:
        """Unit -> limit."""
        named = {"macs": self.macs, "params": self.params, "latency_ms": self.latency_ms}
        return {unit: float(limit) for unit, limit in named.items() if limit is not None}


def cut_to(order: Order, scores: ScoreFile, start: Path, out: Path, command: str) -> PruningRecord:
    """Cut *start*, prove it, and write ``pruned.pth``, ``pruning.json`` and ``manifest.json`` into *out*.

    A start that was cut before is cut further: budget, widths and channels of the record are those of the whole one.

    Raises:
        ArtifactError: the scores are of another checkpoint.
        UsageError: the budget cannot be reached.
        ParityError: the cut network does not say what the masked one says.
    """
    if scores.start_sha256 != sha256(start):
        raise ArtifactError(f"the scores are of another checkpoint than {start}", hint="score this one")
    network, before = load(scores.model, start), record_of(start)
    groups = (*find_groups(network, scores.model), *find_blocks(network))
    layers, widths = layers_of(network, scores.model)
    work = graph_work(network, scores.model)
    whole_work = before.work_before if before else work
    floors = {group.name: least_width(group.before, order.multiple) for group in before.groups} if before else {}
    budget = order.budget(layers, whole_work["search"]["macs"])
    kept = allocate(groups, scores.groups, widths, budget, order.multiple, floors)
    smaller, difference = _proved(network, scores.model, groups, kept, read_state(start))
    write_half(smaller.state_dict(), out / CUT_NAME)
    record = PruningRecord(
        model=scores.model,
        variant=order.variant,
        sha256=sha256(out / CUT_NAME),
        parent_sha256=before.parent_sha256 if before else sha256(start),
        mode=scores.mode,
        seed=scores.seed,
        pairs=scores.pairs,
        probes=scores.probes,
        budget=order.limits,
        multiple=order.multiple,
        steps=before.steps if before else 0,
        groups=(*(_described(group, kept[group.name], scores, before) for group in groups), *_gone(groups, before)),
        work_before=whole_work,
        work_after=graph_work(smaller, scores.model),
        sources=tuple(sorted({*scores.sources, *(before.sources if before else ())})),
        command=command,
        environment=describe(),
    )
    record.save(out / FILE_NAME)
    close_folder(out, start, order, command)
    share = record.work_after["search"]["macs"] / whole_work["search"]["macs"]
    log.info("%s: %.3f of the search graph's work, cut and masked differ by %.1e", out / CUT_NAME, share, difference)
    return record


def close_folder(out: Path, start: Path, order: Order, command: str, more: Sequence[str] = ()) -> None:
    """Write the manifest of a finished folder."""
    Manifest.of(
        out,
        [CUT_NAME, FILE_NAME, *more],
        stage=STAGE,
        command=command,
        parents=[start],
        settings={**order.limits, "multiple": order.multiple, "variant": order.variant},
        environment=describe(),
    ).save(out)


def _proved(
    network: TrackerNetwork,
    model: str,
    groups: Sequence[Group],
    kept: Mapping[str, Sequence[int]],
    state: Mapping[str, Tensor],
) -> tuple[TrackerNetwork, float]:
    smaller = rebuilt(model, cut_state({**network.state_dict(), **state}, groups, kept))
    with torch.no_grad():
        return smaller, prove(network, smaller, model, groups, kept)


def _gone(groups: Sequence[Group], before: PruningRecord | None) -> list[PrunedGroup]:
    """What an earlier round took out whole."""
    names = {group.name for group in groups}
    return [entry for entry in before.groups if entry.name not in names] if before else []


def _described(group: Group, kept: Sequence[int], scores: ScoreFile, before: PruningRecord | None) -> PrunedGroup:
    earlier = {entry.name: entry for entry in before.groups}.get(group.name) if before else None
    values = scores.groups.get(group.name)
    stay = set(kept)
    return PrunedGroup(
        name=group.name,
        members=tuple(member.layer for member in group.members),
        before=earlier.before if earlier else group.width,
        kept=tuple(earlier.kept[channel] if earlier else channel for channel in kept),
        score_kept=sum(values[channel] for channel in kept) if values else None,
        score_lost=sum(value for channel, value in enumerate(values) if channel not in stay) if values else None,
    )
