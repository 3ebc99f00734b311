"""What becomes of a wrong size: ``python -m studies.size_error``.

A tracker cuts the search crop by the size of its last box. Where that size was wrong, the crop is too large or too
small, and the box of the network should correct it. Held-out pairs are cut by a factor too large; the ratio is the mean
side of the network's best box in pixels of the image, relative to its own answer to the right crop: 1 is corrected, the
factor itself is taken over.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from networks.checkpoint import load
from networks.models import ModelSpec, spec
from networks.siamrpn import SiamRPN
from siamtrt import Array, UsageError, cli, documents
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.geometry import anchor_grid, context_side
from training.batches import collate
from training.config import Config
from training.pairs import Pair, View, crop
from training.sources import Labelled, open_sources
from training.validate import best_boxes

STUDY = "studies.size_error"
FACTORS = (0.77, 0.85, 1.0, 1.18, 1.3)
_BATCH = 16


def main(options: argparse.Namespace) -> None:
    """Print the median ratio of each factor, and write every ratio."""
    config = Config.load(options.config)
    sources = open_sources(config, options.data, validation=True)
    rng = np.random.default_rng(0)
    views = [sources[index % len(sources)][0].pair(rng) for index in range(options.pairs)]
    sides = {factor: _sides(options.model, options.checkpoint, views, factor) for factor in FACTORS}
    rows = {f"{factor}": (sides[factor] * factor / sides[1.0]).astype(float).round(4).tolist() for factor in FACTORS}
    if options.out:
        document = {
            "command": cli.command_line(STUDY),
            "environment": describe(),
            "checkpoint": {"model": options.model, "sha256": sha256(options.checkpoint)},
            "rows": rows,
        }
        documents.write(options.out, document, indent=None)
    for factor, ratios in rows.items():
        print(f"cut by {factor}: comes back {np.median(ratios):.3f}")  # noqa: T201


def _sides(model: str, checkpoint: Path, views: list[tuple[Labelled, Labelled]], factor: float) -> Array:
    """The mean side of the best box of each pair, in crop pixels."""
    constants, network = spec(model), load(model, checkpoint)
    if not isinstance(network, SiamRPN):
        raise UsageError(f"{model} has no anchors", hint="a model of the family rpn")
    pairs = [_pair(*view, constants, factor) for view in views]
    sides = []
    with torch.inference_mode():
        for start in range(0, len(pairs), _BATCH):
            batch = collate(pairs[start : start + _BATCH])
            cls, loc = network(batch.template, batch.search)
            shape = (constants.anchor_ratios, constants.anchor_scales)
            grid = torch.from_numpy(anchor_grid(constants.stride, *shape, cls.shape[2]))
            sides.append(best_boxes(cls, loc, grid)[:, 2:].prod(1).sqrt().numpy())
    return np.concatenate(sides)


def _pair(template: Labelled, search: Labelled, model: ModelSpec, factor: float) -> Pair:
    template_crop, _ = crop(template, model.template_px, _side_px(template, model), View(0, 0, 1, 1))
    around_px = _side_px(search, model) * model.search_px / model.template_px
    search_crop, box = crop(search, model.search_px, around_px * factor, View(0, 0, 1, 1))
    return Pair(template_crop, search_crop, box, positive=True)


def _side_px(labelled: Labelled, model: ModelSpec) -> float:
    return context_side(labelled.box.width, labelled.box.height, model.tracker.context)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser(STUDY, "Measure how much of a wrong size comes back.")
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--checkpoint", type=Path, required=True)
    arguments.add_argument("--config", type=Path, required=True, help="of the training: it names the held-out videos")
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--pairs", type=cli.count, default=128)
    arguments.add_argument("--out", type=Path, help="a JSON file with every ratio")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
