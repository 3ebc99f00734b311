"""What a score is worth: ``python -m studies.pruning_scores``, figures of docs/pruning.md.

``rank``: how alike a score and leave-one-out order the channels of a group. ``mask``: the overlap with the truth on
held-out pairs when a share of the trunk's inner channels, those of least score, is masked and nothing is trained.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from networks.checkpoint import load
from networks.models import spec
from networks.tracker import TrackerNetwork
from siamtrt import UsageError, cli, documents
from siamtrt.files import read_json
from training.batches import held_out
from training.config import Config
from training.pairs import PairSampler
from training.pruning.groups import Group, find_groups
from training.pruning.masks import masked
from training.pruning.measure import ScoreFile
from training.sources import open_sources
from training.tasks.pruned import grid
from training.validate import maps, pair_overlaps


def main(options: argparse.Namespace) -> None:
    """Measure, add the figures to the file, and print them."""
    document = read_json(options.out) if options.out.is_file() else {}
    if options.against:
        if len(options.scores) > 1:
            raise UsageError("--against compares one file of scores", hint="name one after --scores")
        found = {"rank": rank(ScoreFile.load(options.scores[0]), ScoreFile.load(options.against))}
    else:
        if options.data is None:
            raise UsageError("held-out pairs need data", hint="--data FOLDER")
        found = {"mask": mask(options)}
    for key, figures in found.items():
        document.setdefault(key, {}).update(figures)
        print(json.dumps(figures, indent=1))  # noqa: T201
    documents.write(options.out, document)


def rank(scores: ScoreFile, against: ScoreFile) -> dict[str, float]:
    """Spearman's rank correlation in each group that both scored."""
    return {
        f"{name}, {scores.mode}": _spearman(scores.groups[name], values)
        for name, values in against.groups.items()
        if name in scores.groups
    }


def mask(options: argparse.Namespace) -> dict[str, float]:
    """Mean overlap on held-out pairs for each of the scores and shares."""
    config = Config.load(options.config)
    network = load(options.model, options.start)
    sampler = PairSampler(
        open_sources(config, options.data, validation=True), config, spec(options.model), augmented=False
    )
    batches = held_out(sampler, options.pairs)
    groups = [group for group in find_groups(network, options.model) if inner(group, network)]
    figures = {}
    for scores in map(ScoreFile.load, options.scores):
        for share in options.shares:
            masks = masks_of(groups, scores, share)
            total = 0.0
            with torch.no_grad(), masked(network, groups, masks):
                for batch in batches:
                    cls, loc = maps(network, batch, torch.device("cpu"))
                    total += float(pair_overlaps(cls, loc, batch, grid(spec(options.model), cls.shape[-1])).sum())
            figures[f"{scores.mode} {share:g}"] = round(total / options.pairs, 4)
    return figures


def inner(group: Group, network: TrackerNetwork) -> bool:
    """Whether a group lies within a block of the trunk: one layer makes it, a depthwise one may carry it."""
    makers = [network.get_submodule(member.layer) for member in group.members if not member.reads]
    dense = [module for module in makers if isinstance(module, torch.nn.Conv2d) and module.groups == 1]
    return (
        group.name.startswith("backbone.")
        and len(dense) == 1
        and any(isinstance(module, torch.nn.Conv2d) and module.groups > 1 for module in makers)
    )


def masks_of(groups: list[Group], scores: ScoreFile, share: float) -> dict[str, torch.Tensor]:
    """Masks without the *share* of least score over all *groups* together, a quarter of each at least staying."""
    ordered = sorted(
        (scores.groups[group.name][channel], number, channel)
        for number, group in enumerate(groups)
        for channel in range(group.width)
    )
    masks = {group.name: torch.ones(group.width) for group in groups}
    left = int(share * len(ordered))
    for _, number, channel in ordered:
        own = masks[groups[number].name]
        if left and own.sum() > len(own) / 4:
            own[channel] = 0
            left -= 1
    return masks


def _spearman(one: list[float], other: list[float]) -> float:
    ranks = [torch.tensor(values).argsort().argsort().double() for values in (one, other)]
    return round(float(torch.corrcoef(torch.stack(ranks))[0, 1]), 3)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.pruning_scores", "What a score of channels is worth.")
    arguments.add_argument("--scores", type=Path, nargs="+", required=True, help="of python -m training.pruning score")
    arguments.add_argument("--against", type=Path, help="scores of leave-one-out: print rank correlations alone")
    arguments.add_argument("--model", default="siamrpn_nano")
    arguments.add_argument("--start", type=Path, default=Path("weights/siamrpn_nano.pth"))
    arguments.add_argument("--config", type=Path, default=Path("training/configs/siamrpn_nano_pruned.toml"))
    arguments.add_argument("--data", type=Path, help="the folder that the configured sources are below")
    arguments.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.3])
    arguments.add_argument("--pairs", type=cli.count, default=256)
    arguments.add_argument("--out", type=Path, required=True)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
