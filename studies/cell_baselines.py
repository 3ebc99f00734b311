"""Does a searched cell pay? ``python -m studies.cell_baselines --data DATA --out OUT``.

Two searches of three seeds each, with the look ahead and without, end in a cell each. Their trackers, one without any,
one with the published cell and three with cells drawn by chance are trained alike, on the same pairs for as many steps,
and tracked through the same held-out videos, which nothing was chosen by. OUT/baselines.json has the table with the
success on each video. What is done stays; rerun to resume.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from architectures.cells.chance import draw
from architectures.cells.compare import compare, table
from networks.genotype import CHANNELS, EMPTY, PUBLISHED, Genotype
from siamtrt import Manifest, cli, documents
from siamtrt.environment import describe
from siamtrt.files import read_json, write_text
from studies.commands import make
from studies.update_cost import medians
from training.config import Config
from training.hypergradient import EXACT, FIRST

MODEL, BACKEND, PRECISION = "siamrpn_nano_cell", "onnxruntime", "fp32"
_SEARCH, _TRAINING = Path("training/configs/siamrpn_nano_cells.toml"), Path("training/configs/siamrpn_nano_cell.toml")
_BY_CHANCE = 3


def main(options: argparse.Namespace) -> None:
    """Search, train, build, judge, and print the table."""
    out: Path = options.out
    for order in (EXACT, FIRST):
        words = ["--config", _SEARCH, "--data", options.data, "--order", order, "--out", out / order]
        make(out / order / "manifest.json", ["architectures", "cells", "search", *words])
    cells = baselines(*(Genotype.load(out / order / "genotype.json") for order in (EXACT, FIRST)))
    engines = []
    for name, cell in cells.items():
        for artifact, words in steps(out / name, cell, options.data, options.steps):
            make(artifact, words)
        engines.append(artifact.parent)
    data = Config.load(_TRAINING).data
    videos = [*(options.data / source.path for source in data.sources), *options.videos]
    words = ["--models", *engines, "--videos", *videos, "--held-out", *data.validation, "--out", out / "judged.json"]
    make(out / "judged.json", ["benchmarks", "judge", *words])
    words = ["--engines", *engines, "--clip", options.clip, "--out", out / "update_cost.json"]
    make(out / "update_cost.json", ["studies.update_cost", *words])
    rows = compare(out / "judged.json", engines)
    times = medians(out / "update_cost.json")
    record = {
        "command": cli.command_line("studies.cell_baselines"),
        "environment": describe(),
        "engines_manifest": asdict(Manifest.load(engines[0], stage="engines")),  # of the tracker without a cell
        "searches": {order: read_json(out / order / "result.json") for order in (EXACT, FIRST)},
        "rows": [{**asdict(row), "update_ms": ms} for row, ms in zip(rows, times, strict=True)],
    }
    documents.write(out / "baselines.json", record)
    print(table(rows))  # noqa: T201


def baselines(exact: Genotype, first: Genotype) -> dict[str, Genotype]:
    """Every cell by the name of its folder, all of one width, no cell first."""
    found = {"found": exact, "found_first_order": first}
    chance = {f"chance{seed}": draw(seed, CHANNELS) for seed in range(_BY_CHANCE)}
    cells = {"none": EMPTY, **found, "published": PUBLISHED, **chance}
    return {name: replace(cell, channels=CHANNELS) for name, cell in cells.items()}


def configuration(text: str, cell: Genotype, count: int | None = None) -> str:
    """The configuration *text* of a training, with *cell* as its architecture, and of *count* steps where given."""
    text = re.sub(r'(?m)^architecture = ".*"$', f'architecture = "{cell}"', text)
    return text if count is None else re.sub(r"(?m)^((?:validate_)?steps) = .*$", rf"\1 = {count}", text)


def steps(
    folder: Path, cell: Genotype, data: Path, count: int | None = None
) -> Iterator[tuple[Path, list[str | Path]]]:
    """What makes engines of *cell* in *folder*: each artifact with the command that leaves it, in order."""
    config, weights = folder / "training.toml", folder / "training" / f"{MODEL}.pth"
    write_text(config, configuration(_TRAINING.read_text(encoding="utf-8"), cell, count))
    yield weights, ["training", "--config", config, "--data", data, "--out", weights.parent]
    onnx, engines = folder / "onnx", folder / "engines" / f"{BACKEND}-{PRECISION}"
    yield onnx / "manifest.json", ["export", "--model", MODEL, "--checkpoint", weights, "--out", onnx]
    words: list[str | Path] = ["engines", "--onnx", onnx, "--backend", BACKEND, "--precision", PRECISION]
    yield engines / "manifest.json", [*words, "--out", engines]


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.cell_baselines", "Judge a searched cell beside others, all trained alike.")
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the configured sources are below")
    arguments.add_argument("--out", type=Path, required=True, help="folder for everything")
    arguments.add_argument("--clip", type=Path, required=True, help="a sequence to time an update of each on, in turns")
    arguments.add_argument("--videos", type=Path, nargs="*", default=[], help="more that nothing was trained on")
    arguments.add_argument("--steps", type=cli.count, help="of each training; the configuration's by default")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
