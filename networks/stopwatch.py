"""``python -m networks.stopwatch``: the median milliseconds of search and xcorr in eager PyTorch, on one thread."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

from networks.checkpoint import load
from networks.models import spec
from siamtrt import cli

_WARM_UP = 10


def main(options: argparse.Namespace) -> None:
    """Measure and print one number."""
    torch.set_num_threads(1)
    network = load(options.model, options.checkpoint)
    model = spec(options.model)
    samples_ns = []
    with torch.inference_mode():
        kernels = network.template(torch.rand(1, 3, model.template_px, model.template_px) * 255)
        single = {name: kernel[0] for name, kernel in kernels.items()}
        crop = torch.rand(1, 3, model.search_px, model.search_px) * 255
        for _ in range(_WARM_UP + options.frames):
            started_ns = time.perf_counter_ns()
            network.correlate(network.search(crop), single)
            samples_ns.append(time.perf_counter_ns() - started_ns)
    sys.stdout.write(f"{statistics.median(samples_ns[_WARM_UP:]) / 1e6}\n")


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("networks.stopwatch", "Time a network in eager PyTorch.")
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--checkpoint", type=Path, required=True)
    arguments.add_argument("--frames", type=cli.count, default=200)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
