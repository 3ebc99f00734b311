"""What has to agree within a model card before a runtime believes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

from siamtrt.errors import ArtifactError
from siamtrt.tensors import TensorSpec

if TYPE_CHECKING:
    from siamtrt.card import ModelCard, SearchCard

_MOST_ANCHOR = 1000.0  # ratios and scales are a few units


def require_consistent(card: ModelCard, path: Path, hint: str) -> None:
    """Prove that each search names graphs and kernels that *card*, read from *path*, has, and that sizes agree.

    Raises:
        ArtifactError: they do not; with *hint* as the way out.
    """
    named = {name for search in card.searches for name in search.graphs}
    kernels = {name for search in card.searches for stage in search.stages for name in stage.kernels}
    missing = sorted((named - {graph.name for graph in card.graphs}) | (kernels - set(card.kernel_names)))
    if missing or not card.searches or not all(one.stages for one in card.searches) or card.graphs[0].role != "target":
        problem = f"names {', '.join(missing)} without saying what they are" if missing else "has no target and search"
        raise ArtifactError(f"{path} {problem}", hint=hint)
    _require_geometry(card, path, hint)
    for search in card.searches:
        if search.has_exits:
            _require_exits(card, search, path, hint)


def _require_geometry(card: ModelCard, path: Path, hint: str) -> None:
    """Prove that crops, maps and anchors have the sizes that the graphs say."""
    crops = [(card.target, card.template_px), *((card.graph(one.crop), one.search_px) for one in card.searches)]
    wrong = [graph.name for graph, side in crops if not side > 0 or _shape(graph.inputs) != (3, side, side)]
    for search in card.searches:
        maps = (search.score_size, search.score_size)
        shapes = {spec.name: spec.shape[1:] for spec in card.graph(search.stages[-1].xcorr).outputs}
        wanted = {"cls": (2 * card.anchors_per_cell, *maps), "loc": (4 * card.anchors_per_cell, *maps)}
        wrong += [name for name, shape in wanted.items() if shapes.get(name) != shape or not min(shape) > 0]
    anchors = (*card.anchor_ratios, *card.anchor_scales)
    if wrong or not 0 < card.stride <= card.template_px or not all(0 < one < _MOST_ANCHOR for one in anchors):
        which = ", ".join(wrong) or "strides or anchors"
        raise ArtifactError(f"{path}: the sizes of {which} are not those of a tracker", hint=hint)


def _require_exits(card: ModelCard, search: SearchCard, path: Path, hint: str) -> None:
    """Prove that a search with exits has two or more, all with scores, each kernel in one of them, and costs."""
    kernels = [name for stage in search.stages for name in stage.kernels]
    exits = [stage.exit for stage in search.stages]
    outputs = [
        exit_card is not None and exit_card.output in {spec.name for spec in card.graph(stage.xcorr).outputs}
        for stage, exit_card in zip(search.stages, exits)
    ]
    if len(exits) < 2 or not all(outputs) or sorted(kernels) != sorted(card.kernel_names):
        raise ArtifactError(f"{path} has exits that do not share out its kernels, or have no scores", hint=hint)
    if min(card.stage_macs(search)) <= 0:
        raise ArtifactError(f"{path} has a stage that costs nothing", hint=hint)


def _shape(specs: Tuple[TensorSpec, ...]) -> Optional[Tuple[int, ...]]:
    """The shape of the first tensor, without how many there are at a time."""
    return specs[0].shape[1:] if specs else None
