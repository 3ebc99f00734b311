"""What another input costs a frozen trunk: ``python -m studies.thesis_input --data DATA --videos V... --out OUT``.

A published thesis pruned a classifier's trunk that had learned on normalised RGB, and put it, frozen, into a tracker
that feeds BGR from 0 to 255. Here the trunk of ``siamrpn_lite0`` is put into two trackers: with the stem that has the
normalisation folded in, and with that folding undone. Both are fed BGR from 0 to 255; neck and heads start from the
same random weights and learn for the same steps on the same pairs, the trunk stays frozen. What is done stays; rerun to
resume.

Source: Alexander Ludwig, "Optimization of Siamese Object Tracking Networks", master's thesis, TU Wien, 2023. The code
of its pruned runs is not published: this shows what the suspected cause does, not that it was the cause.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.evaluation.held_out.videos import declare_videos, load_videos
from networks.models import build
from siamtrt import cli, documents
from siamtrt.environment import describe
from siamtrt.files import sha256, whole_file
from studies.tracked import engines_of, tracked
from training.config import Config
from training.half import write_half
from training.loop import BEST_NAME, Loop
from training.place import Place, join
from training.start_weights import MEAN, STD, load_trunk
from training.tasks import open_task

STUDY = "studies.thesis_input"
MODEL = "siamrpn_lite0"
AS_IT_WAS, UNDONE = "folded", "undone"
_STEM = "backbone.stem.0"
_WARM_UP = 20


def main(options: argparse.Namespace) -> None:
    """Train and judge what is missing, write the figures, and print them."""
    config = Config.load(options.config)
    data = replace(config.data, batch=options.batch, validation_pairs=64)
    optimizer = replace(config.optimizer, warmup_steps=_WARM_UP)
    config = replace(config, steps=options.steps, validate_steps=options.steps, data=data, optimizer=optimizer)
    videos = load_videos(options.videos, options.held_out)
    rows: dict[str, dict[str, Any]] = {}
    with join(config.device) as place:
        for stem in (AS_IT_WAS, UNDONE):
            weights = _trained(stem, options, config, options.out / stem, place)
            rows[stem] = tracked(MODEL, weights, options.out / stem, videos, STUDY, options.threads)
    document = {
        "command": cli.command_line(STUDY),
        "environment": describe(),
        "engines_manifest": {"files": engines_of(rows)},
        "trunk_sha256": sha256(options.trunk),
        "steps": options.steps,
        "pairs_a_step": options.batch,
        "stems": rows,
    }
    documents.write(options.out / "thesis_input.json", document)
    for stem, row in rows.items():
        print(f"stem {stem:7} success {row['success_auc']:.3f}, losses {row['losses']}")  # noqa: T201


def start_state(trunk: Path, stem: str, seed: int) -> dict[str, Tensor]:
    """Random neck and heads around the trunk of the checkpoint *trunk*, with its *stem* as it was or undone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build(MODEL)
    load_trunk(network.get_submodule("backbone"), trunk)
    state = network.state_dict()
    return unfolded(state) if stem == UNDONE else state


def unfolded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """*state* with the stem it had before the normalisation was folded in: of RGB, minus 127, over 128.

    Whatever the bias holds beside the folded mean stays.
    """
    weight, bias = state[f"{_STEM}.weight"], state[f"{_STEM}.bias"]
    own = {f"{_STEM}.weight": STD * weight.flip(1), f"{_STEM}.bias": bias + MEAN * weight.sum((1, 2, 3))}
    return {**state, **own}


def _trained(stem: str, options: argparse.Namespace, config: Config, out: Path, place: Place) -> Path:
    """The weights after the last step."""
    finished = out / f"{MODEL}.pth"
    if not finished.is_file():
        start = out / "start.pth"
        with whole_file(start) as temporary:
            torch.save(start_state(options.trunk, stem, config.seed), temporary)
        config = replace(config, task={"kind": "siamrpn", "model": MODEL, "start": str(start)})
        Loop(open_task(config, options.data, place), config, out, place).run()
        write_half(torch.load(out / BEST_NAME, map_location="cpu", weights_only=True), finished)
    return finished


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser(STUDY, "A frozen trunk in a tracker, with the input it learned on and with another.")
    arguments.add_argument("--trunk", type=Path, default=Path(f"weights/{MODEL}.pth"), help="weights with the trunk")
    arguments.add_argument("--config", type=Path, default=Path(f"training/configs/{MODEL}.toml"))
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the configured sources are below")
    declare_videos(arguments)
    arguments.add_argument("--out", type=Path, required=True, help="folder for everything; rerun to go on")
    arguments.add_argument("--steps", type=cli.count, default=200, help="that neck and heads learn")
    arguments.add_argument("--batch", type=cli.count, default=8, help="pairs a step")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
