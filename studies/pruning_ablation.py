"""What of a pruning keeps the tracking: ``python -m studies.pruning_ablation --data DATA --videos V... --out OUT``.

Every arm makes one choice other than the first, which is the way of ``python -m training.pruning rounds`` in one round:
another score, a loss without features, several rounds, labels in the place of the whole tracker, or no teaching.
Budget, steps and pairs are the same; a seed draws the pairs and the directions or the scores by chance. Each result
follows the held-out videos in a closed loop. What is done stays; rerun to resume, or ``--arms`` to do a part.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.evaluation.held_out.videos import declare_videos, load_videos
from networks.checkpoint import load
from siamtrt import cli, documents
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.pruning import FILE_NAME, PruningRecord
from studies.tracked import engines_of, tracked
from training.config import Config
from training.half import write_half
from training.loop import BEST_NAME, Loop
from training.place import Place, join
from training.pruning.measure import Job, ScoreFile, measure
from training.pruning.rounds import Plan, prune
from training.pruning.smaller import CUT_NAME, Order
from training.tasks import open_task
from training.tasks.pruned import STEMS, TRUNK

STUDY = "studies.pruning_ablation"
WHOLE = "whole"
_LEFT_OUT = "leave-one-out"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to prune.

    Attributes:
        mode: how channels are scored.
        rounds: how often to score, cut and teach, with the steps shared out among them.
        features: weight of kernels and features in the loss of the distillation.
        labels: learn from the truth in the place of the whole tracker.
        taught: learn at all.
    """

    mode: str = "fisher"
    rounds: int = 1
    features: float = 1.0
    labels: bool = False
    taught: bool = True


ARMS = {
    "fisher": Arm(),
    _LEFT_OUT: Arm(mode=_LEFT_OUT),
    "magnitude": Arm(mode="magnitude"),
    "gamma": Arm(mode="gamma"),
    "random": Arm(mode="random"),
    "fisher-no-features": Arm(features=0.0),
    "fisher-3-rounds": Arm(rounds=3),
    "fisher-labels": Arm(labels=True),
    "fisher-untaught": Arm(taught=False),
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What all arms of a seed share.

    Attributes:
        job: how channels are scored, but for the mode; ``mode`` and ``seed`` are an arm's.
        config: of the distillation.
        macs: the share of the multiply-accumulates that stays.
        data: the folder that the configured sources are below.
        out: folder for everything.
        block: prefix of the groups that leave-one-out scores.
        left_out_pairs: that it sees.
        seed: of pairs, directions and chance.
    """

    job: Job
    config: Config
    macs: float
    data: Path
    out: Path
    block: str
    left_out_pairs: int
    seed: int

    def weights(self, name: str, place: Place) -> Path:
        """The weights of the arm called *name*, made unless they are there; their record lies beside them."""
        arm, out = ARMS[name], self.out / f"{name}-{self.seed}"
        config = replace(self.config, seed=self.seed, task={**self.config.task, "features": arm.features})
        distilled = config.steps if arm.taught and not arm.labels else 0
        plan = Plan(
            job=replace(self.job, mode=arm.mode, seed=self.seed),
            order=Order(macs=self.macs, variant=name),
            rounds=arm.rounds,
            steps=distilled // arm.rounds,
            last_steps=distilled // arm.rounds,
        )
        self._provide_scores(plan, config, out / "pruned")
        prune(plan, config, self.data, out / "pruned", place, cli.command_line(STUDY))
        cut = out / "pruned" / CUT_NAME
        return self._labelled(cut, config, out / "labelled", place) if arm.labels else cut

    def _provide_scores(self, plan: Plan, config: Config, out: Path) -> None:
        """Put the scores of the whole network where the first round looks for its own: arms of one mode share them."""
        first = out / "round-1" / "scores.json"
        if first.is_file():
            return
        job = plan.job
        if job.mode == _LEFT_OUT:  # a pass for every channel: of one block alone, the others as Fisher scores them
            others = self._scores(replace(job, mode="fisher"), config)
            job = replace(job, only=(self.block,), pairs=self.left_out_pairs, batch=self.left_out_pairs)
            scores = self._scores(job, config)
            scores = replace(scores, groups={**others.groups, **scores.groups})
        else:
            scores = self._scores(job, config)
        scores.save(first)

    def _scores(self, job: Job, config: Config) -> ScoreFile:
        shared = self.out / f"scores-{job.mode}-{self.seed}.json"
        if not shared.is_file():
            record = shared.with_suffix(".partial.json")
            measure(job, config, self.data, record).save(shared)
            record.unlink(missing_ok=True)
        return ScoreFile.load(shared)

    def _labelled(self, cut: Path, config: Config, out: Path, place: Place) -> Path:
        """Train *cut* on labels for as many steps, on the same layers at the same rates."""
        finished = out / CUT_NAME
        if not finished.with_name(FILE_NAME).is_file():
            task = labelled_task(config, cut)
            config = replace(config, task=task)
            Loop(open_task(config, self.data, place), config, out, place).run()
            write_half(torch.load(out / BEST_NAME, map_location="cpu", weights_only=True), finished)
            record = PruningRecord.load(cut.with_name(FILE_NAME))
            replace(record, sha256=sha256(finished), steps=config.steps).save(finished.with_name(FILE_NAME))
        return finished


def labelled_task(config: Config, cut: Path) -> dict[str, Any]:
    """The table ``[task]`` that trains on labels what *config* distils: all but the stem, the trunk at its rate."""
    model = config.task["model"]
    names = [name for name, _ in load(model, cut).named_parameters() if name.startswith(TRUNK)]
    layers = tuple(name[len(TRUNK) :] for name in names if not name.startswith(STEMS))
    return {
        "kind": "siamrpn",
        "model": model,
        "start": str(cut),
        "trunk_layers": layers,
        "trunk_lr_share": config.task.get("trunk_lr_share", 0.2),
        "trunk_depthwise": False,
    }


def main(options: argparse.Namespace) -> None:
    """Make and judge what is missing, write the table, and print it."""
    config = Config.load(options.config)
    steps, batch = options.steps, replace(config.data, batch=options.batch, validation_pairs=options.batch)
    config = replace(config, steps=steps, validate_steps=steps, data=batch)
    job = Job(model=config.task["model"], start=options.start, pairs=options.pairs, probes=2)
    videos = load_videos(options.videos, options.held_out)
    table: dict[str, dict[str, Any]] = {}
    table[WHOLE] = {"": tracked(job.model, options.start, options.out / WHOLE, videos, STUDY, options.threads)}
    with join(config.device) as place:
        for seed in options.seeds:
            trial = Trial(
                job=job,
                config=config,
                macs=options.macs,
                data=options.data,
                out=options.out,
                block=options.block,
                left_out_pairs=options.left_out_pairs,
                seed=seed,
            )
            for name in options.arms:
                weights = trial.weights(name, place)
                folder = options.out / f"{name}-{seed}"
                row = tracked(job.model, weights, folder, videos, STUDY, options.threads)
                table.setdefault(name, {})[str(seed)] = row
                log.info("%s, seed %d: success %.3f", name, seed, row["success_auc"])
    document = {
        "command": cli.command_line(STUDY),
        "environment": describe(),
        "engines_manifest": {
            "files": engines_of(
                {f"{name} {seed}".strip(): row for name, rows in table.items() for seed, row in rows.items()}
            )
        },
        "start_sha256": sha256(options.start),
        "steps": steps,
        "pairs_a_step": options.batch,
        "macs": options.macs,
        "scored_pairs": {"fisher": options.pairs, _LEFT_OUT: options.left_out_pairs},
        "left_out_of": options.block,
        "arms": table,
    }
    documents.write(options.out / "ablation.json", document)
    print(lines(table))  # noqa: T201


def lines(table: dict[str, dict[str, Any]]) -> str:
    """The success and the losses of each arm, a column a seed."""
    whole = table[WHOLE][""]
    rows = [f"{'arm':20} {'share':>5}  success (losses), a seed each"]
    for name, seeds in table.items():
        share = next(iter(seeds.values()))["search_macs"] / whole["search_macs"]
        cells = "  ".join(f"{row['success_auc']:.3f} ({row['losses']})" for row in seeds.values())
        rows.append(f"{name:20} {share:5.3f}  {cells}")
    return "\n".join(rows)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser(STUDY, "Scores, losses, rounds and teachers of a pruning, side by side at one budget.")
    arguments.add_argument("--start", type=Path, default=Path("weights/siamrpn_nano.pth"), help="the whole weights")
    arguments.add_argument("--config", type=Path, default=Path("training/configs/siamrpn_nano_pruned.toml"))
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the configured sources are below")
    declare_videos(arguments)
    arguments.add_argument("--out", type=Path, required=True, help="folder for everything; rerun to go on")
    arguments.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=list(ARMS))
    arguments.add_argument("--seeds", type=cli.seed, nargs="+", default=[0, 1])
    arguments.add_argument("--macs", type=float, default=0.62, help="share of the search graph's multiply-accumulates")
    arguments.add_argument("--steps", type=cli.count, default=40, help="of teaching in every arm")
    arguments.add_argument("--batch", type=cli.count, default=8, help="pairs a step")
    arguments.add_argument("--pairs", type=cli.count, default=32, help="that Fisher's score sees")
    arguments.add_argument("--block", default="backbone.features.9.", help="whose channels leave-one-out scores")
    arguments.add_argument("--left-out-pairs", type=cli.count, default=4, help="that leave-one-out sees")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
