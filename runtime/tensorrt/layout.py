"""How the features lie in memory between the search and the xcorr engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siamtrt import Array, ArtifactError, Manifest, TensorSpec

_WIDE = 8


@dataclass(frozen=True)
class Layout:
    """A way for an NxCxHxW tensor to lie in memory.

    Attributes:
        name: as the builder's option and the manifest have it.
        type_name: of TensorRT's ``DataType``.
        format_name: of TensorRT's ``TensorFormat``.
    """

    name: str
    type_name: str
    format_name: str

    @property
    def dtype(self) -> type[np.floating]:
        """Type of a value on the host."""
        return np.float32 if self is LINEAR else np.float16

    def shape(self, spec: TensorSpec) -> tuple[int, ...]:
        """Shape of the memory of *spec*: that of the tensor, or NxHxWxC with C rounded up to whole eights."""
        if self is LINEAR:
            return spec.shape
        batch, channels, height, width = spec.shape
        return batch, height, width, -(-channels // _WIDE) * _WIDE

    def values(self, memory: Array, spec: TensorSpec) -> Array:
        """The tensor that lies in *memory*: NxCxHxW float32, the memory itself where it lies so."""
        if self is LINEAR:
            return memory
        return np.ascontiguousarray(memory[..., : spec.shape[1]].transpose(0, 3, 1, 2), np.float32)


LINEAR = Layout("float32", "FLOAT", "LINEAR")
# What FP16 kernels of convolutions work in, so that neither engine has to convert. Source: NvInferRuntime.h, kHWC8.
HWC8 = Layout("hwc8", "HALF", "HWC8")
_LAYOUTS = {layout.name: layout for layout in (LINEAR, HWC8)}


def features_of(manifest: Manifest) -> Layout:
    """How the features of a build lie; those of builds before there was a choice are float32.

    Raises:
        ArtifactError: it is a layout that this runtime does not know.
    """
    name = manifest.settings.get("features", LINEAR.name)
    if name not in _LAYOUTS:
        raise ArtifactError(f"features in the layout {name!r} are unknown here", hint=manifest.command)
    return _LAYOUTS[name]
