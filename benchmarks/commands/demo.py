"""``python -m benchmarks demo``: track the rendered clip and show how well that went."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np

from benchmarks.evaluation.options import declare
from benchmarks.reports.demo import run
from runtime.policies.parse import HELP

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", "threads", required=["engines"])
    about = "folder written by python -m benchmarks clip, or another sequence"
    parser.add_argument("--clip", type=Path, required=True, help=about)
    parser.add_argument("--policy", help=f"where a model with exits stops: {HELP}")
    parser.add_argument("--out", type=Path, required=True, help="folder for the video, the contact sheet, the summary")


def main(options: argparse.Namespace) -> None:
    """Track the clip and write the pictures."""
    outcome = run(options.engines, options.clip, options.out, threads=options.threads, policy=options.policy)
    log.info("mean overlap %.3f, see %s", np.mean(outcome.overlaps), options.out)
