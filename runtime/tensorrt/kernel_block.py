"""The kernels of targets in the memory of the GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime.tensorrt.device import Buffer, Device
from siamtrt import ModelCard, Tensors

_ALIGNMENT_BYTES = 256  # what TensorRT asks of the address of a tensor


@dataclass(eq=False)
class Target:
    """One target that a chain follows.

    Attributes:
        copy: address of a copy of its kernels on the GPU; None where a refit puts them into the engine, or where they
            have a place of their own in what xcorr reads.
        place: which of the targets that a run serves.
        is_known: the target was remembered.
    """

    copy: int | None
    place: int = 0
    is_known: bool = False


class KernelBlock:
    """One block of memory that the target graph writes its kernels into.

    Where the kernels are inputs of xcorr, this block is what xcorr reads; each target's own copy is moved in and out,
    on the GPU, so captured graphs stay valid. Where a run serves several targets, xcorr reads a block with a place for
    each. Otherwise the kernels come to the host for a refit.

    Args:
        device: the GPU.
        card: of the model.

    Attributes:
        made: addresses of the kernels on the GPU where target puts them, by name.
        read: addresses of the kernels on the GPU where xcorr reads them, by name.
        host: the kernels fetched last, float32, by name; nothing where they are inputs.
        size_bytes: of the block.
    """

    def __init__(self, device: Device, card: ModelCard) -> None:
        self._device, self._card = device, card
        places: dict[str, int] = {}
        self.size_bytes = 0
        for kernel in card.kernels:
            places[kernel.name] = self.size_bytes
            self.size_bytes += -(-kernel.size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        self._fetched: Buffer | None = None
        self.host: Tensors = {}
        if card.kernel_inputs:
            self._address = device.allocate(self.size_bytes)
        else:
            self._fetched = device.buffer((self.size_bytes,), np.uint8)
            self._address = self._fetched.address
            for kernel in card.kernels:
                values = self._fetched.host[places[kernel.name] :].view(np.float32)
                self.host[kernel.name] = values[: int(np.prod(kernel.shape))].reshape(kernel.shape)
        self.made = {name: self._address + place for name, place in places.items()}
        self.read = self.made
        if card.targets > 1:
            self.read = {kernel.name: device.allocate(card.targets * kernel.size_bytes) for kernel in card.kernels}

    def new_target(self, place: int = 0) -> Target:
        """Make room for the kernels of one more target, the one at *place* of those that a run serves."""
        has_copy = self._fetched is None and self._card.targets == 1
        return Target(self._device.allocate(self.size_bytes) if has_copy else None, place)

    def enqueue_save(self, target: Target) -> None:
        """Enqueue the way of the kernels out of the block: to the target's copy, to its place, or to the host."""
        if target.copy is not None:
            self._device.move(target.copy, self._address, self.size_bytes)
        elif self._fetched is not None:
            self._device.fetch(self._fetched)
        else:
            for kernel in self._card.kernels:
                to = self.read[kernel.name] + target.place * kernel.size_bytes
                self._device.move(to, self.made[kernel.name], kernel.size_bytes)

    def enqueue_load(self, target: Target) -> None:
        """Enqueue the way of a target's copy into the block."""
        if target.copy is not None:
            self._device.move(self._address, target.copy, self.size_bytes)
