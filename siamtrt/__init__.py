"""The words every stage shares: boxes, tensors, precision, the model card, manifests, errors.

numpy is all it needs, but for ``libraries`` and ``work``, which are imported by name.
"""

from siamtrt.boxes import BoundingBox
from siamtrt.card import GraphCard, ModelCard
from siamtrt.errors import (
    ArtifactError,
    BuildError,
    EngineMismatchError,
    InferenceError,
    MissingDependencyError,
    ParityError,
    PipelineError,
    ProbeError,
    UsageError,
)
from siamtrt.manifest import Manifest
from siamtrt.precision import GraphPrecisions, Precision
from siamtrt.tensors import Array, Tensors, TensorSpec

__all__ = [
    "Array",
    "ArtifactError",
    "BoundingBox",
    "BuildError",
    "EngineMismatchError",
    "GraphCard",
    "GraphPrecisions",
    "InferenceError",
    "Manifest",
    "MissingDependencyError",
    "ModelCard",
    "ParityError",
    "PipelineError",
    "Precision",
    "ProbeError",
    "TensorSpec",
    "Tensors",
    "UsageError",
]
