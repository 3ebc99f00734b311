"""``python -m benchmarks``: one subcommand a module."""

from __future__ import annotations

import argparse
import sys

from benchmarks import clip, demo, drift, overhead
from benchmarks.layers import measure
from benchmarks.ope import command as ope
from benchmarks.power import watch
from benchmarks.report import bench, compare
from benchmarks.speed import command as speed
from benchmarks.speed import harness_cost
from benchmarks.sweep import command as sweep
from benchmarks.tensorrt_chain import command as chain
from benchmarks.tensorrt_chain import kernel_times
from benchmarks.vot import evaluate, run, workspace
from siamtrt import cli

_COMMANDS = (
    ("bench", bench, "everything there is to measure of an engine folder, in one report and one page"),
    ("clip", clip, "render a clip with known truth"),
    ("vot", run, "run a tracker under the reset-based VOT protocol"),
    ("evaluate", evaluate, "measures of trackers from their raw VOT results"),
    ("vot-workspace", workspace, "a workspace in which the VOT toolkit runs the tracker"),
    ("ope", ope, "one-pass evaluation: success and precision without resets"),
    ("speed", speed, "frame rates, percentiles, stages and power"),
    ("drift", drift, "how closely a run without resets follows another, or the truth"),
    ("layers", measure, "latency of each layer of each engine"),
    ("compare", compare, "layer reports or full reports side by side"),
    ("sweep", sweep, "every mix of precisions, and which are worth having"),
    ("power", watch, "what the board draws"),
    ("overhead", overhead, "what a frame costs beside the network"),
    ("kernels", kernel_times, "the CUDA kernels of crop and decode alone; needs a GPU, but no TensorRT"),
    ("chain", chain, "a frame on TensorRT, chained on the GPU and through the host"),
    ("harness-cost", harness_cost, "how much slower a frame looks because it is timed"),
    ("demo", demo, "track the rendered clip and show how well that went"),
)


def main(options: argparse.Namespace) -> None:
    """Run the chosen command."""
    options.main(options)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("benchmarks", "Measure a tracker.")
    commands = arguments.add_subparsers(required=True, metavar="COMMAND")
    for name, module, description in _COMMANDS:
        command = commands.add_parser(name, help=description, description=description, allow_abbrev=False)
        module.add_arguments(command)
        command.set_defaults(main=module.main)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
