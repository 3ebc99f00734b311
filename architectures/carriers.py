"""``python -m architectures carriers``: the six networks that a latency table is made of, with random weights."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from architectures.latency import carriers
from networks.lighttrack.network import LightTrack
from siamtrt.files import whole_file


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options."""
    arguments.add_argument("--out", type=Path, required=True, help="folder for carrier_0.pth to carrier_5.pth")


def main(options: argparse.Namespace) -> None:
    """Write the checkpoints and print their architectures."""
    torch.manual_seed(0)
    for number, architecture in enumerate(carriers()):
        with whole_file(options.out / f"carrier_{number}.pth") as temporary:
            torch.save(LightTrack(architecture).state_dict(), temporary)
        print(architecture)  # noqa: T201  the command's answer
