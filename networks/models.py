"""The models by name: their constants, and how each is put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from networks.adopt_widths import adopt_blocks, adopt_widths, block_counts
from networks.cell import SearchCell
from networks.genotype import PUBLISHED, Genotype
from networks.lighttrack.architecture import MOBILE, architecture_of, parse
from networks.lighttrack.network import LightTrack
from networks.nanotrack import NanoTrack
from networks.siamrpn import SiamRPN
from networks.siamrpn_cell import SiamRPNCell, genotype_of
from networks.tracker import TrackerNetwork
from networks.trunks import efficientnet_lite, nano
from networks.trunks.alexnet import AlexNet
from networks.trunks.mobilenet import MobileNetV2
from networks.trunks.resnet import ResNet50
from siamtrt import UsageError
from siamtrt.card import LostRule, TrackerConstants

_LEVELS = ("2", "3", "4")
_RATIOS = (0.33, 0.5, 1.0, 2.0, 3.0)
_SCALES = (8.0,)
_TEMPLATE_CELLS = 7  # of 15, as PySOT's necks

AroundCell = Callable[[Genotype | SearchCell, Mapping[str, Tensor]], SiamRPNCell]


@dataclass(frozen=True)
class LostSearch:
    """The larger search of a long-term tracker: its crop, its window, and when a target counts as lost."""

    search_px: int
    window_influence: float
    rule: LostRule


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a published configuration says of a model; the fields are those of :class:`siamtrt.ModelCard`.

    Attributes:
        build: makes the network as wide and deep as a checkpoint.
        around: makes the network around a cell of choice; None for a model without a cell.
    """

    build: Callable[[Mapping[str, Tensor]], TrackerNetwork]
    around: AroundCell | None = None
    tracker: TrackerConstants
    family: str = "rpn"
    template_px: int = 127
    search_px: int = 255
    stride: int = 8
    anchor_ratios: tuple[float, ...] = _RATIOS
    anchor_scales: tuple[float, ...] = _SCALES
    lost: LostSearch | None = None


def build(name: str, state: Mapping[str, Tensor] | None = None) -> TrackerNetwork:
    """Make the network called *name*, with random weights.

    Args:
        name: a key of ``MODELS``.
        state: a checkpoint whose blocks and widths the network takes on; the published ones otherwise.

    Raises:
        UsageError: unknown name.
    """
    network = spec(name).build(state or {})
    if state:
        adopt_blocks(network, state)
        adopt_widths(network, state)
    return network


def build_around(name: str, cell: Genotype | SearchCell) -> SiamRPNCell:
    """Make the network called *name* around *cell*, with random weights.

    Raises:
        UsageError: unknown name, or a model without a cell.
    """
    around = spec(name).around
    if around is None:
        with_cell = [known for known, model in MODELS.items() if model.around]
        raise UsageError(f"{name} has no cell", hint=f"one of {', '.join(with_cell)}")
    return around(cell, {})


def spec(name: str) -> ModelSpec:
    """The constants of the model called *name*.

    Raises:
        UsageError: unknown name.
    """
    if name not in MODELS:
        raise UsageError(f"unknown model {name!r}", hint=f"one of {', '.join(MODELS)}")
    return MODELS[name]


def _resnet(state: Mapping[str, Tensor], *, weighted: bool, neck: tuple[int, ...] = (256, 256, 256)) -> TrackerNetwork:
    trunk = ResNet50(block_counts(state, "backbone.layer{}.", 4) or (3, 4, 6, 3))
    return SiamRPN(trunk, _LEVELS, _by_level(512, 1024, 2048), _by_level(*neck), _anchors(), weighted=weighted)


def _mobilenet(_: Mapping[str, Tensor]) -> TrackerNetwork:
    return SiamRPN(
        MobileNetV2(), _LEVELS, _by_level(44, 134, 448), _by_level(256, 256, 256), _anchors(), weighted=False
    )


def _alexnet(_: Mapping[str, Tensor]) -> TrackerNetwork:
    return SiamRPN(AlexNet(), ("",), {"": 256}, None, _anchors(), weighted=False)


def _lite0(_: Mapping[str, Tensor]) -> TrackerNetwork:
    channels = _by_level(*efficientnet_lite.CHANNELS)
    trunk = efficientnet_lite.EfficientNetLite0()
    return SiamRPN(trunk, _LEVELS, channels, _by_level(64, 64, 64), _anchors(), weighted=True)


def _nano(_: Mapping[str, Tensor]) -> TrackerNetwork:
    channels, neck = _by_level(*nano.CHANNELS), _by_level(64, 64, 64)
    cells = nano.TEMPLATE_CELLS
    return SiamRPN(nano.NanoTrunk(), _LEVELS, channels, neck, _anchors(), weighted=True, template_cells=cells)


def _on_nano(cell: Genotype | SearchCell, _: Mapping[str, Tensor]) -> SiamRPNCell:
    used = dict(enumerate(nano.CHANNELS[1:], start=1))
    return SiamRPNCell(nano.NanoTrunk(), used, cell, 64, _anchors(), nano.TEMPLATE_CELLS)


def _on_resnet(cell: Genotype | SearchCell, state: Mapping[str, Tensor]) -> SiamRPNCell:
    """Without the last stage, whose feature no cell takes."""
    trunk = ResNet50(block_counts(state, "backbone.layer{}.", 3) or (3, 4, 6))
    return SiamRPNCell(trunk, {0: 512, 1: 1024}, cell, 256, _anchors(), _TEMPLATE_CELLS)


def _cell_spec(around: AroundCell, default: Genotype) -> ModelSpec:
    return ModelSpec(
        build=lambda state: around(genotype_of(state) or default, state),
        around=around,
        tracker=TrackerConstants(0.05, 0.42, 0.38, source="as siamrpn_r50; not tuned"),
    )


def _lighttrack(state: Mapping[str, Tensor]) -> TrackerNetwork:
    return LightTrack(architecture_of(state) or parse(MOBILE))


def _by_level(*widths: int) -> dict[str, int]:
    return dict(zip(_LEVELS, widths, strict=True))


def _anchors() -> int:
    return len(_RATIOS) * len(_SCALES)


def _pysot(experiment: str, penalty_k: float, window_influence: float, lr: float) -> TrackerConstants:
    return TrackerConstants(penalty_k, window_influence, lr, source=f"PySOT experiments/{experiment}/config.yaml")


MODELS: dict[str, ModelSpec] = {
    "siamrpn_lite0": ModelSpec(
        build=_lite0, tracker=TrackerConstants(0.05, 0.42, 0.38, source="as siamrpn_r50; not tuned")
    ),
    "siamrpn_nano": ModelSpec(
        build=_nano,
        tracker=TrackerConstants(
            0.05, 0.42, 0.38, source="as siamrpn_r50; a search on held-out videos found none surely better"
        ),
    ),
    "siamrpn_r50": ModelSpec(
        build=lambda state: _resnet(state, weighted=True), tracker=_pysot("siamrpn_r50_l234_dwxcorr", 0.05, 0.42, 0.38)
    ),
    "siamrpn_r50_otb": ModelSpec(
        build=lambda state: _resnet(state, weighted=False),
        tracker=_pysot("siamrpn_r50_l234_dwxcorr_otb", 0.24, 0.5, 0.25),
    ),
    "siamrpn_r50_lt": ModelSpec(
        build=lambda state: _resnet(state, weighted=True, neck=(128, 256, 512)),
        tracker=_pysot("siamrpn_r50_l234_dwxcorr_lt", 0.05, 0.28, 0.22),
        lost=LostSearch(search_px=831, window_influence=0.001, rule=LostRule(below=0.8, found_above=0.998)),
    ),
    "siamrpn_nano_cell": _cell_spec(_on_nano, PUBLISHED),
    "siamrpn_r50_cell": _cell_spec(_on_resnet, replace(PUBLISHED, channels=256)),
    "siamrpn_mobilenetv2": ModelSpec(build=_mobilenet, tracker=_pysot("siamrpn_mobilev2_l234_dwxcorr", 0.04, 0.4, 0.5)),
    "siamrpn_alexnet": ModelSpec(build=_alexnet, search_px=287, tracker=_pysot("siamrpn_alex_dwxcorr", 0.16, 0.4, 0.3)),
    "nanotrack_v3": ModelSpec(
        build=lambda _: NanoTrack(),
        family="ban",
        stride=16,
        anchor_ratios=(),
        anchor_scales=(),
        tracker=TrackerConstants(0.138, 0.455, 0.348, source="SiamTrackers NanoTrack configv3.yaml"),
    ),
    "lighttrack_mobile": ModelSpec(
        build=_lighttrack,
        family="ban",
        search_px=256,
        stride=16,
        anchor_ratios=(),
        anchor_scales=(),
        tracker=TrackerConstants(
            0.007, 0.225, 0.616, source="LightTrack experiments/test/VOT/LightTrack.yaml, VOT2019", size_rate_power=2.0
        ),
    ),
}
