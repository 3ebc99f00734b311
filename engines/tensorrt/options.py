"""What a TensorRT build may be told beside the precision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

OUR_RANGES, TENSORRT = CALIBRATORS = ("ranges", "tensorrt")


@dataclass(frozen=True)
class TensorrtOptions:
    """Settings of a build; the defaults suit a Jetson AGX Xavier.

    Attributes:
        workspace_mib: scratch memory a layer may take while it runs.
        detailed: keep layer names in the plan, for layer reports; such a plan runs a little slower.
        timing_cache: folder of the caches that make a second build fast; None keeps none.
        compute_capabilities: of the GPUs a plan of TensorRT-RTX shall run on, e.g. ``("8.9",)``; empty leaves it to
            the library.
        calibrator: one of ``CALIBRATORS``: take the ranges of the calibration as they are, or let TensorRT measure its
            own over the samples; xcorr, whose samples are not stored, always takes the former.
    """

    workspace_mib: int = 1024
    detailed: bool = False
    timing_cache: Optional[Path] = None
    compute_capabilities: Tuple[str, ...] = ()
    calibrator: str = OUR_RANGES
