"""``python -m export``: write a checkpoint as ONNX graphs with their model card."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

import argparse
from pathlib import Path

from export.write import write
from networks.checkpoint import load
from networks.exits import with_exits
from networks.models import MODELS
from networks.seeded import seeded
from siamtrt import UsageError, cli


def main(options: argparse.Namespace) -> None:
    """Export and print the folder."""
    if (options.checkpoint is None) == (options.seed is None):
        raise UsageError("name the weights once", hint="--checkpoint FILE, or --seed N for random weights")
    network = load(options.model, options.checkpoint) if options.checkpoint else seeded(options.model, options.seed)
    if options.exits or options.exit_features:
        network = with_exits(network).eval()
        network.says_features = options.exit_features
    command = cli.command_line("export")
    write(
        network,
        options.model,
        options.out,
        checkpoint=options.checkpoint,
        command=command,
        kernel_inputs=options.kernel_inputs,
        exits=options.exits or options.exit_features,
    )
    print(options.out)


def arguments() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = cli.parser("export", "Export a checkpoint as three ONNX graphs; no GPU is needed.")
    parser.add_argument("--model", required=True, help=", ".join(MODELS))
    parser.add_argument("--checkpoint", type=Path, help="a .pth file; see README.md")
    parser.add_argument("--seed", type=cli.seed, help="random weights instead, where only shapes and speed matter")
    parser.add_argument("--out", type=Path, required=True, help="folder for the graphs")
    parser.add_argument("--kernel-inputs", action="store_true", help="kernels as inputs of the xcorr graph")
    parser.add_argument("--exits", action="store_true", help="a graph a stage, for trackers that stop early")
    parser.add_argument(
        "--exit-features", action="store_true", help="and what their scores are computed from, to train scores on"
    )
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
