"""The model card: all that a runtime has to know about a model, stored beside its graphs as ``model.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from siamtrt.card_checks import require_consistent
from siamtrt.documents import Format
from siamtrt.errors import ArtifactError
from siamtrt.files import read_json
from siamtrt.tensors import TensorSpec

FILE_NAME = "model.json"
FAMILIES = ("rpn", "ban")
TARGET, SEARCH, XCORR = ROLES = ("target", "search", "xcorr")
_FORMAT = Format("a model card", schema=2, hint="export the model anew")
_COLOUR, _VALUE_RANGE = "BGR", (0.0, 255.0)


@dataclass(frozen=True)
class TrackerConstants:
    """What the tracker does with the maps of a network; ``source`` names the published configuration.

    The size follows the measured one at the rate ``(penalty * score * lr) ** size_rate_power``.
    """

    penalty_k: float
    window_influence: float
    lr: float
    source: str
    context: float = 0.5
    min_side_px: float = 10.0
    size_rate_power: float = 1.0


@dataclass(frozen=True)
class GraphCard:
    """The interface of one graph and what it costs; its file is ``NAME.onnx`` or ``NAME.plan``.

    Attributes:
        name: of the graph.
        inputs: its inputs.
        outputs: its outputs.
        role: one of ``ROLES``: whether it makes kernels, features or maps.
        macs: multiply-accumulates of one run; None where the exporter did not count them.
        parameters: weights it holds, without the kernels that a target brings; None where they were not counted.
    """

    name: str
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    role: str
    macs: Optional[int] = None
    parameters: Optional[int] = None


@dataclass(frozen=True)
class ExitCard:
    """What a stage says of its own answer, so that the search may stop there.

    Attributes:
        output: the tensor of the xcorr graph that holds its scores, 1xS, each 0..1.
        scores: what they are, in this order; ``peak`` is the largest probability of the map.
    """

    output: str
    scores: Tuple[str, ...]


@dataclass(frozen=True)
class StageCard:
    """One step of a search: features, then maps.

    Attributes:
        search: name of the graph that puts out features.
        xcorr: name of the graph that correlates them.
        kernels: names of the kernels that this xcorr graph needs.
        exit: the search may stop behind this stage, with the maps so far; None where all stages run.
    """

    search: str
    xcorr: str
    kernels: Tuple[str, ...]
    exit: Optional[ExitCard] = None


@dataclass(frozen=True)
class LostRule:
    """When a long-term tracker counts its target as lost, by the score of the best box, 0..1.

    Attributes:
        below: it is lost below this score.
        found_above: a lost one is found above this score.
    """

    below: float
    found_above: float


@dataclass(frozen=True)
class SearchCard:
    """One size of search crop.

    Attributes:
        search_px: side of the crop.
        score_size: side of the score map.
        window_influence: share of the cosine window in the choice of the box, 0..1.
        stages: what runs, in this order.
        lost: this search is for a target that is lost by this rule; None for the ordinary one.
    """

    search_px: int
    score_size: int
    window_influence: float
    stages: Tuple[StageCard, ...]
    lost: Optional[LostRule] = None

    @property
    def crop(self) -> str:
        """The kind of its crops, after the graph that sees them."""
        return self.stages[0].search

    @property
    def graphs(self) -> Tuple[str, ...]:
        """Names of its graphs in the order they run."""
        return tuple(name for stage in self.stages for name in (stage.search, stage.xcorr))

    @property
    def has_exits(self) -> bool:
        """Whether it may stop before its last stage."""
        return any(stage.exit for stage in self.stages)


@dataclass(frozen=True)
class ModelCard:
    """A tracker model as its graphs implement it.

    Attributes:
        name: e.g. ``siamrpn_r50``.
        family: ``rpn`` (anchors; loc is dx, dy, dw, dh) or ``ban`` (points; loc is left, top, right, bottom).
        template_px: side of the template crop.
        stride: input pixels from one cell of the score map to the next.
        anchor_ratios: height / width of the anchors; empty for ``ban``.
        anchor_scales: side of the anchors in strides; empty for ``ban``.
        tracker: constants of the tracker.
        searches: the ordinary search first; a long-term tracker has one more, for a lost target.
        kernels: the correlation kernels that the target graph puts out; in the xcorr graph the initializers (or, with
            ``kernel_inputs``, the inputs) of the same names.
        graphs: every graph, the target's first.
        checkpoint_sha256: digest of the checkpoint file the graphs were exported from.
        kernel_inputs: the xcorr graphs take their kernels as inputs instead of as weights.
        targets: how many targets a run of the search and xcorr graphs serves; the first dimension of what goes into
            and comes out of them is so many times that of one.
        parity: graph name -> largest absolute difference to the torch module, relative to the output's range.
        colour: channel order of every crop.
        value_range: smallest and largest value of a crop; no mean is subtracted.
        architecture: which network of its search space it is; None where its name says it all.
        variant: what it is called beside the model that it was cut out of; None for a whole one.
        sources: names of the videos that decided about the cut: it must not be judged on them.
    """

    name: str
    family: str
    template_px: int
    stride: int
    anchor_ratios: Tuple[float, ...]
    anchor_scales: Tuple[float, ...]
    tracker: TrackerConstants
    searches: Tuple[SearchCard, ...]
    kernels: Tuple[TensorSpec, ...]
    graphs: Tuple[GraphCard, ...]
    checkpoint_sha256: str
    kernel_inputs: bool = False
    targets: int = 1
    parity: Dict[str, float] = field(default_factory=dict)
    colour: str = _COLOUR
    value_range: Tuple[float, float] = _VALUE_RANGE
    architecture: Optional[str] = None
    variant: Optional[str] = None
    sources: Tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name, and that of the variant where it is one."""
        return f"{self.name} {self.variant}" if self.variant else self.name

    @property
    def search(self) -> SearchCard:
        """The ordinary search."""
        return self.searches[0]

    @property
    def lost_search(self) -> Optional[SearchCard]:
        """The search for a lost target; None for a short-term tracker."""
        return next((search for search in self.searches if search.lost), None)

    @property
    def target(self) -> GraphCard:
        """The graph that makes kernels of a template."""
        return next(graph for graph in self.graphs if graph.role == TARGET)

    @property
    def anchors_per_cell(self) -> int:
        """How many boxes a cell of the score map proposes; 1 for ``ban``."""
        return max(1, len(self.anchor_ratios) * len(self.anchor_scales))

    @property
    def kernel_names(self) -> Tuple[str, ...]:
        """Names of the correlation kernels."""
        return tuple(kernel.name for kernel in self.kernels)

    def graph(self, name: str) -> GraphCard:
        """The interface of the graph called *name*.

        Raises:
            ArtifactError: the model has no such graph.
        """
        for graph in self.graphs:
            if graph.name == name:
                return graph
        raise ArtifactError(f"model {self.name} has no graph {name!r}: {', '.join(g.name for g in self.graphs)}")

    def stage_macs(self, search: SearchCard) -> Tuple[int, ...]:
        """Multiply-accumulates of each stage of *search*.

        Raises:
            ArtifactError: the exporter did not count them.
        """
        counts = [[self.graph(name).macs for name in (stage.search, stage.xcorr)] for stage in search.stages]
        if any(not macs for pair in counts for macs in pair):
            raise ArtifactError(f"the card of {self.name} does not say what its graphs cost", hint=_FORMAT.hint)
        return tuple(sum(macs or 0 for macs in pair) for pair in counts)

    def crop_of(self, graph: str) -> Optional[str]:
        """The kind of crop that *graph* sees, after which the folder of its samples is named; None if it sees none."""
        if graph == self.target.name:
            return self.target.inputs[0].name
        return graph if any(graph == search.crop for search in self.searches) else None

    def scores_of(self, graph: str) -> Tuple[str, ...]:
        """The outputs of *graph* that are scores of an exit: they decide where to stop, and are no maps."""
        stages = [stage for search in self.searches for stage in search.stages if stage.xcorr == graph]
        return tuple(stage.exit.output for stage in stages if stage.exit)

    def refitted(self, graph: str) -> Tuple[str, ...]:
        """The weights of *graph* that change with the target; none where kernels are inputs."""
        stages = [stage for search in self.searches for stage in search.stages if stage.xcorr == graph]
        return stages[0].kernels if stages and not self.kernel_inputs else ()

    def features(self, graph: str) -> Tuple[str, ...]:
        """The tensors of *graph* that go from search to xcorr."""
        card = self.graph(graph)
        sides: Dict[str, Tuple[TensorSpec, ...]] = {SEARCH: card.outputs, XCORR: card.inputs}
        return tuple(spec.name for spec in sides.get(card.role, ()) if spec.name not in self.kernel_names)

    def save(self, folder: Path) -> Path:
        """Write ``model.json`` into *folder* and return its path."""
        path = folder / FILE_NAME
        _FORMAT.save(path, asdict(self), indent=2)
        return path

    @classmethod
    def load(cls, folder: Path) -> ModelCard:
        """Read ``model.json`` from *folder*.

        Raises:
            ArtifactError: it is absent, not a model card, of a newer schema, or of an unknown family,
                or for crops of another kind than the runtime's.
        """
        path = folder / FILE_NAME
        document = read_json(path)
        if document.get("schema") == 1:
            document = _from_schema_1(document, path)
        card = _FORMAT.build(cls, _FORMAT.fields(document, path), path)
        if card.family not in FAMILIES:
            raise ArtifactError(f"{path}: unknown family {card.family!r}", hint=f"one of {', '.join(FAMILIES)}")
        if (card.colour, card.value_range) != (_COLOUR, _VALUE_RANGE):
            raise ArtifactError(
                f"{path} asks for crops of {card.colour} in {card.value_range}; the runtime gives BGR in 0..255",
                hint="fold the difference into the first layer, then export the model anew",
            )
        require_consistent(card, path, _FORMAT.hint)
        return card


def _from_schema_1(document: Mapping[str, Any], path: Path) -> Dict[str, Any]:
    """A card written before searches had stages, in today's form."""
    old = dict(document)
    try:
        lost, names = old.pop("lost"), [kernel["name"] for kernel in old["kernels"]]
        sizes = {"search_px": old.pop("search_px"), "score_size": old.pop("score_size")}
        searches = [{**sizes, "window_influence": old["tracker"]["window_influence"], "stages": [_stage("", names)]}]
        if lost:
            rule = {"below": lost.pop("confidence_low"), "found_above": lost.pop("confidence_high")}
            searches.append({**lost, "stages": [_stage("_lost", names)], "lost": rule})
        graphs = [{**graph, "role": graph["name"].split("_")[0]} for graph in old["graphs"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is not {_FORMAT.what}: {error}", hint=_FORMAT.hint) from error
    return {**old, "schema": _FORMAT.schema, "searches": searches, "graphs": graphs}


def _stage(suffix: str, kernels: list[str]) -> Dict[str, Any]:
    return {"search": f"{SEARCH}{suffix}", "xcorr": f"{XCORR}{suffix}", "kernels": kernels}
