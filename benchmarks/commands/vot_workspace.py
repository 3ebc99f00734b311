"""``python -m benchmarks vot-workspace``: a workspace in which ``vot evaluate`` of the VOT toolkit runs our tracker."""

from __future__ import annotations

import argparse
import logging
import re
from pathlib import Path

from benchmarks.evaluation.leaks import require_no_leak
from benchmarks.evaluation.options import RunOptions, declare
from benchmarks.evaluation.plan import tracker_name
from benchmarks.evaluation.vot.workspace import add_tracker, link_sequences
from siamtrt import Manifest
from siamtrt.files import write_text

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = ("engines", "sequences", "threads", "allow_leak")
    declare(parser, *names, required=["engines"], stand_ins={"sequences": "those that the toolkit fetches"})
    parser.add_argument("--out", type=Path, required=True, help="the workspace; other trackers and results in it stay")
    parser.add_argument("--stack", default="vot2018/shortterm", help="one of the toolkit's; %(default)s by default")
    parser.add_argument("--tracker", help="its name in the toolkit; made from the engines by default")


def main(options: argparse.Namespace) -> None:
    """Write the workspace and print its folder."""
    Manifest.load(options.engines, stage="engines")
    name = re.sub(r"[^A-Za-z0-9_-]", "_", options.tracker or tracker_name(options.engines))
    if options.sequences:
        sequences = RunOptions.of(options).load(options.sequences)
        require_no_leak(options.engines, sequences, allowed=options.allow_leak)
        link_sequences(options.out / "sequences", sequences)
    add_tracker(options.out / "trackers.ini", name, options.engines, options.threads)
    write_text(
        options.out / "config.yaml", f"registry:\n- ./trackers.ini\nsequences: sequences\nstack: {options.stack}\n"
    )
    log.info("next: VOT_RESULTS_BINARY=0 vot evaluate --workspace %s %s", options.out, name)
    print(options.out)
