"""What a training step of siamrpn_nano costs: ``python -m studies.training_speed``.

Processor seconds of one thread, so that other work on the machine counts less; each line changes one thing of the line
above. The pairs themselves are measured last, by source. Numbers of one run are comparable, those of two machines not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor, nn

from networks.models import build, spec
from networks.quick import ChannelCorrelation, fix_depthwise
from siamtrt import cli
from siamtrt.files import write_text
from training.config import Config
from training.pairs import PairSampler
from training.sources import open_sources

_MODEL, _BATCH, _STEPS = "siamrpn_nano", 16, 3
_TRAINED = tuple(f"features.{block}." for block in range(4, 10))


@dataclass(frozen=True)
class Variant:
    """One way to compute a step: what trains, in which numbers and layout, and with whose gradients."""

    name: str
    trunk: bool = False
    half: bool = False
    channels_last: bool = False
    quick: bool = False
    fixed: bool = False


VARIANTS = (
    Variant("trunk frozen, float32"),
    Variant("  channels last", channels_last=True),
    Variant("  bfloat16", channels_last=True, half=True),
    Variant("  gradients of the correlation as convolutions", channels_last=True, half=True, quick=True),
    Variant("trunk trains, float32", trunk=True),
    Variant("  channels last, quick correlation", trunk=True, channels_last=True, quick=True),
    Variant("  bfloat16", trunk=True, channels_last=True, quick=True, half=True),
    Variant("  depthwise layers fixed", trunk=True, channels_last=True, quick=True, half=True, fixed=True),
)


def main(options: argparse.Namespace) -> None:
    """Measure every variant, then the sources; print pairs a processor second."""
    torch.set_num_threads(1)
    rates = {f"{number}: {variant.name}": step_rate(variant) for number, variant in enumerate(VARIANTS, start=1)}
    if options.config:
        rates |= source_rates(Config.load(options.config), options.data)
    if options.out:
        write_text(options.out, json.dumps({name: round(rate, 2) for name, rate in rates.items()}, indent=1) + "\n")
    for name, rate in rates.items():
        print(f"{name:56} {rate:8.1f} pairs/s")  # noqa: T201


def step_rate(variant: Variant) -> float:
    """Pairs a processor second of one thread: forward, backward and optimizer."""
    torch.manual_seed(0)
    network = _network(variant)
    layout = torch.channels_last if variant.channels_last else torch.contiguous_format
    crops = [(torch.rand(_BATCH, 3, side, side) * 255).contiguous(memory_format=layout) for side in _sides()]
    optimizer = torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad], 1e-6)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=variant.half):
            cls, loc = network(*crops)
        (cls.float().square().mean() + loc.float().abs().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()

    with mock.patch("networks.tracker.ChannelCorrelation", ChannelCorrelation if variant.quick else _Plain):
        return _BATCH / _seconds(step)


def source_rates(config: Config, data: Path) -> dict[str, float]:
    """Pairs a processor second of each source of *config*, its images in memory."""
    rates = {}
    for entry, (source, _) in zip(config.data.sources, open_sources(config, data), strict=True):
        sampler = PairSampler([(source, 1.0)], config, spec(_MODEL))

        def draw(sampler: PairSampler = sampler) -> None:
            for index in range(64):
                sampler.pair(index)

        rates[f"pairs alone: {entry.kind} of {entry.path}"] = 64 / _seconds(draw)
    return rates


def _network(variant: Variant) -> nn.Module:
    network: nn.Module = build(_MODEL)
    trunk = network.get_submodule("backbone")
    if variant.fixed:
        fix_depthwise(trunk)
    if variant.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    trunk.eval()
    for name, weight in trunk.named_parameters():
        weight.requires_grad_(weight.requires_grad and variant.trunk and name.startswith(_TRAINED))
    return network


class _Plain:
    """The correlation with torch's own gradients."""

    @staticmethod
    def apply(feature: Tensor, kernel: Tensor) -> Tensor:
        batch, channels, height, width = feature.shape
        planes, kernels = feature.reshape(1, -1, height, width), kernel.reshape(-1, *kernel.shape[2:])
        response = F.conv2d(planes, kernels, groups=batch * channels)
        return response.reshape(batch, channels, *response.shape[2:])


def _seconds(work: Callable[[], None]) -> float:
    """Processor seconds of *work*: the median of a few runs after one that warms up."""
    work()
    samples = []
    for _ in range(_STEPS):
        started = time.process_time()
        work()
        samples.append(time.process_time() - started)
    return statistics.median(samples)


def _sides() -> tuple[int, int]:
    return spec(_MODEL).template_px, spec(_MODEL).search_px


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.training_speed", "Measure what a training step costs.")
    arguments.add_argument("--config", type=Path, help="measure the pairs of its sources too")
    arguments.add_argument("--data", type=Path, default=Path(), help="the folder of these sources")
    arguments.add_argument("--out", type=Path, help="a JSON file with the rates")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
