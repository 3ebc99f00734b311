"""One search size on the GPU, from the crop to the answer, launched as one."""

from __future__ import annotations

from runtime.decode import Candidate
from runtime.tensorrt.decode import DecodeKernel
from runtime.tensorrt.device import Device
from runtime.tensorrt.frame import FrameOnGpu
from runtime.tensorrt.stage import Stage
from siamtrt import Tensors, UsageError


class Search:
    """What one frame needs at one search size.

    Args:
        device: the GPU.
        frame: what is cropped.
        crop: address of the first engine's input.
        size_px: side of the crop.
        stage: turns it into maps.
        decode: chooses the box on the GPU; None where the maps go back to the host.
    """

    def __init__(
        self, device: Device, frame: FrameOnGpu, crop: int, size_px: int, stage: Stage, decode: DecodeKernel | None
    ) -> None:
        self._device, self._frame, self._crop, self._size_px = device, frame, crop, size_px
        self.stage, self._decode = stage, decode
        self._graph: int | None = None

    @property
    def is_captured(self) -> bool:
        """Whether frames are replayed as a CUDA graph."""
        return self._graph is not None

    def aim(self, last_size: tuple[float, float]) -> None:
        """Say how large the target was last, in crop pixels, for the next runs; nothing may be on the stream."""
        if self._decode is not None:
            self._decode.aim(*last_size)

    def run(self) -> None:
        """Enqueue a frame.

        Raises:
            InferenceError: TensorRT or CUDA refused.
        """
        if self._graph is None:
            self._enqueue()
        else:
            self._device.launch(self._graph)

    def box(self) -> Candidate:
        """The box that was chosen on the GPU, once the stream was waited for.

        Raises:
            UsageError: the choice is left to the host.
            InferenceError: the network put out scores that are no numbers.
        """
        if self._decode is None:
            raise UsageError("these engines were opened without decode on the GPU")
        return self._decode.found()

    def refit(self, kernels: Tensors) -> None:
        """Take the kernels of a new target into the engines' weights.

        Raises:
            InferenceError: TensorRT refused a weight.
        """
        self.forget_graph()
        self.stage.refit(kernels)

    def prepare(self, kernels: Tensors, *, capture: bool) -> None:
        """Run one frame, prove by it that a refit took effect, and capture the next ones.

        Args:
            kernels: what the weights should be; nothing where kernels are inputs.
            capture: as a CUDA graph.

        Raises:
            ParityError: the refit did not take effect.
            InferenceError: TensorRT or CUDA refused.
        """
        self._enqueue()  # the first run may allocate, which a capture forbids
        self.stage.enqueue_evidence()
        self._device.synchronize()
        self.stage.require_proof(kernels)
        if capture:
            self._graph = self._device.capture(self._enqueue)

    def forget_graph(self) -> None:
        """Free the captured frame."""
        if self._graph is not None:
            self._device.forget(self._graph)
            self._graph = None

    def _enqueue(self) -> None:
        self._frame.enqueue_crop(self._crop, self._size_px)
        self.stage.enqueue()
        if self._decode is None:
            self.stage.enqueue_maps()
        else:
            self._decode.enqueue()
