"""The crops a calibration left for whoever builds engines from it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np

from siamtrt import Array, ArtifactError
from siamtrt.files import sha256

_FOLDERS = {"target": "template", "search": "search", "search_lost": "search_lost"}
_SUFFIXES = (".png", ".npy")


def has_samples(graph: str) -> bool:
    """Whether the inputs of *graph* are stored; those of xcorr, 5 MB a frame, are not."""
    return graph in _FOLDERS


def sample_files(calibration: Path, graph: str) -> List[Path]:
    """The samples of *graph* in a calibration folder, in the order of their names.

    Raises:
        ArtifactError: there is none.
    """
    folder = calibration / "samples" / _FOLDERS[graph]
    found = sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES)
    if not found:
        raise ArtifactError(f"{folder} holds no samples", hint="calibrate anew")
    return found


def spread_samples(calibration: Path, graph: str, shape: Tuple[int, ...], most: int) -> List[Array]:
    """At most *most* samples of *graph*, spread over all there are; see :func:`read_sample`.

    Raises:
        ArtifactError: there is none, or one cannot be read.
    """
    files = sample_files(calibration, graph)
    count = min(most, len(files))
    return [read_sample(files[index * len(files) // count], shape) for index in range(count)]


def read_sample(path: Path, shape: Tuple[int, ...]) -> Array:
    """One crop as a graph takes it.

    Args:
        path: a PNG, or an array of uint8, HxWx3 or 1x3xHxW; BGR.
        shape: of the graph's input, 1x3xHxW.

    Returns:
        float32 of *shape*, 0..255, C-contiguous.

    Raises:
        ArtifactError: the file cannot be read, or has another shape or type.
    """
    try:
        crop = np.load(str(path), allow_pickle=False) if path.suffix == ".npy" else cv2.imread(str(path))
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"cannot read the sample {path}: {error}", hint="calibrate anew") from error
    if crop is None or crop.dtype != np.uint8:
        raise ArtifactError(f"{path} is no uint8 crop", hint="calibrate anew")
    if crop.ndim == 3:
        crop = crop.transpose(2, 0, 1)[None]
    if crop.shape != shape:
        raise ArtifactError(f"{path} has the shape {crop.shape}, the graph takes {shape}", hint="calibrate anew")
    return np.ascontiguousarray(crop, np.float32)


def digest(paths: List[Path]) -> str:
    """Hex digest of the content of all of them, in their order."""
    return hashlib.sha256("".join(sha256(path) for path in paths).encode()).hexdigest()
