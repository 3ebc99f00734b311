"""ResNet-50 at the thesis' sizes, with seeded weights: ``python -m studies.pruning_r50 --out build/pruning_r50``.

Only shapes and speed matter here, so the first channels of each group stay, and only the search graph is exported. What
is there already is kept. ``python -m studies.pruning_speed`` then times the folders in turns.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from export.fold_norms import fold_norms
from export.graphs import trace
from export.to_onnx import to_onnx
from networks.models import spec
from networks.seeded import seeded
from siamtrt import cli
from siamtrt.card import SEARCH
from siamtrt.files import write_bytes, write_text
from training.pruning.cut import cut_state, rebuilt
from training.pruning.groups import Group, find_groups

MODEL = "siamrpn_r50"
_BLOCKS = (3, 4, 6, 3)
# Outputs of the four stages and channels within their blocks, in multiples of 32. The odd ones lie just below those of
# 12M, which are the same rounded up to 16; then they are rounded down.
WIDTHS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "whole": ((256, 512, 1024, 2048), (64, 128, 256, 512)),
    "30M": ((192, 416, 832, 1664), (64, 96, 192, 416)),
    "22.5M": ((192, 352, 704, 1440), (32, 96, 192, 352)),
    "12M": ((128, 256, 544, 1056), (32, 64, 128, 256)),
    "12M-odd": ((125, 249, 535, 1045), (29, 59, 123, 247)),
    "12M-down16": ((112, 240, 528, 1040), (16, 48, 112, 240)),
}

log = logging.getLogger(__name__)


def main(options: argparse.Namespace) -> None:
    """Write ``NAME/search.onnx`` for each size, and ``sizes.json`` with its parameters."""
    counts = options.out / "sizes.json"
    sizes = json.loads(counts.read_text()) if counts.is_file() else {}
    wanted = [name for name in WIDTHS if name not in sizes]
    if wanted:
        network = seeded(MODEL, 0)
        groups = find_groups(network, MODEL)
        for name in wanted:
            kept = {group.name: tuple(range(width_of(group, *WIDTHS[name]))) for group in groups}
            smaller = rebuilt(MODEL, cut_state(network.state_dict(), groups, kept))
            trunk = sum(value.numel() for key, value in smaller.named_parameters() if key.startswith("backbone."))
            sizes[name] = {"trunk": trunk, "all": sum(value.numel() for value in smaller.parameters())}
            smaller.fold()
            fold_norms(smaller)
            graph = trace(smaller, spec(MODEL).template_px, {"": spec(MODEL).search_px})[SEARCH]
            model = to_onnx(graph)
            write_bytes(options.out / name / "search.onnx", model.SerializeToString())
            write_text(counts, json.dumps(sizes, indent=1) + "\n")
            log.info("%s: %.2f M in the trunk", name, trunk / 1e6)
    print(counts)  # noqa: T201


def width_of(group: Group, outer: tuple[int, ...], within: tuple[int, ...]) -> int:
    """The width that *group* gets; groups outside the stages keep theirs."""
    for stage in range(len(_BLOCKS)):
        prefix = f"backbone.layer{stage + 1}."
        if group.name.startswith(prefix):
            is_output = any(member.layer.endswith("conv3") and not member.reads for member in group.members)
            return outer[stage] if is_output else within[stage]
    return group.width


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.pruning_r50", "Search graphs of ResNet-50 at several widths, seeded weights.")
    arguments.add_argument("--out", type=Path, required=True, help="a folder; rerun to go on")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
