"""How good a member of a supernet is: its norms are measured anew, then it looks for objects in held-out pairs.

The supernet is an elastic one. That of the whole space can be trained, but nothing here judges its members yet.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from architectures.archive import Judged
from architectures.cost import total
from architectures.latency import LatencyTable
from networks.checkpoint import load, read_state
from networks.lighttrack.architecture import Architecture, parse
from networks.lighttrack.network import LightTrack
from networks.lighttrack.norms import expand, recalibrate
from networks.lighttrack.space import ElasticSpace
from networks.lighttrack.supernet import ElasticSupernet
from siamtrt import UsageError
from training.config import Config
from training.place import CPU
from training.tasks.ban import PointData
from training.tasks.supernet import elastic

MODEL = "lighttrack_mobile"
_WHOLE = {"choices.0_0_0.conv_pw.weight", "predictions.cls_128.cls_pred.weight"}  # no other network has these
SPLITS = ("A", "B")  # every second held-out video each: A guides the search, B is looked at for the report


@dataclass(frozen=True)
class Request:
    """All that a judgement depends on; small enough to be sent anywhere.

    Attributes:
        weights: of a trained supernet, or of a network that is shrunk as it is.
        trained: which of the two.
        config: of the training: names the sources and the held-out videos.
        data: the folder of the sources.
        pairs: how many held-out pairs.
        split: one of ``SPLITS``.
        latency: a latency table; None for none.
        towers: the towers shrink too.
        blocks: the blocks of the backbone shrink too.
    """

    weights: Path
    trained: bool
    config: Path
    data: Path
    pairs: int
    split: str = SPLITS[0]
    latency: Path | None = None
    towers: bool = True
    blocks: bool = True


@dataclass(frozen=True)
class Bench:
    """What a process loads once."""

    config: Config
    supernet: ElasticSupernet
    space: ElasticSpace
    measuring: list[tuple[Tensor, Tensor]]
    held_out: PointData
    table: LatencyTable | None

    def member(self, architecture: Architecture) -> LightTrack:
        """A network of its own with norms that fit it."""
        network = self.supernet.member(architecture)
        recalibrate(network, self.measuring)
        return network

    def price_ms(self, architecture: Architecture) -> float | None:
        """Milliseconds by the table."""
        return self.table.predict(architecture) if self.table else None


def judge(request: Request, text: str) -> Judged:
    """Judge the network called *text*, a canonical string. The answer depends on nothing but the arguments."""
    started_ns, bench, architecture = time.perf_counter_ns(), open_bench(request), parse(text)
    overlaps = bench.held_out.overlaps(bench.member(architecture))
    cost = total(architecture)
    seconds = (time.perf_counter_ns() - started_ns) / 1e9
    measured = tuple(round(value, 6) for value in overlaps.tolist())
    return Judged(text, measured, cost.macs, cost.parameters, bench.price_ms(architecture), round(seconds, 3))


@functools.lru_cache(maxsize=len(SPLITS))
def open_bench(request: Request) -> Bench:
    """Load what *request* names, once a process; torch then runs on one thread, so that every process gives the same.

    Raises:
        UsageError: fewer than two videos are held out, or the weights are of another model or of the whole space.
        ArtifactError: a file is absent or damaged.
    """
    torch.set_num_threads(1)
    config = Config.load(request.config)
    if len(config.data.validation) < len(SPLITS):
        raise UsageError(f"{request.config} holds out {len(config.data.validation)} videos", hint="name two or more")
    drawn = PointData(_holding(config, config.data.validation, 1), request.data, CPU, MODEL)
    videos = split_videos(config, request.split)
    held_out = PointData(_holding(config, videos, request.pairs), request.data, CPU, MODEL)
    if read_state(request.weights).keys() >= _WHOLE:
        raise UsageError(
            f"{request.weights} is a supernet of the whole space, whose members are not judged yet",
            hint='one trained with space = "elastic"',
        )
    network = load(MODEL, request.weights)
    if not request.trained:
        expand(network, drawn.measuring())
    supernet, space = elastic(network, trained=request.trained)
    table = LatencyTable.load(request.latency) if request.latency else None
    space = replace(space, towers=request.towers, blocks=request.blocks)
    return Bench(config, supernet.eval(), space, drawn.measuring(), held_out, table)


def split_videos(config: Config, split: str) -> tuple[str, ...]:
    """The names of the held-out videos of *split*."""
    return config.data.validation[SPLITS.index(split) :: len(SPLITS)]


def _holding(config: Config, videos: tuple[str, ...], pairs: int) -> Config:
    return replace(config, data=replace(config.data, validation=videos, validation_pairs=pairs))
