"""What every tracker network offers: a template branch, a search branch and their correlation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor, nn

from networks.quick import ChannelCorrelation


class TrackerNetwork(nn.Module, ABC):
    """A Siamese tracker, split where the deployed graphs are split.

    Crops are float32, BGR, 0..255. Keys of ``template`` start with ``kernel_``, those of ``search`` with ``feature_``;
    the rest of the name says which correlation they belong to.

    Attributes:
        architecture: which network of a search space this is; None where the model's name says it all.
    """

    architecture: str | None = None

    @abstractmethod
    def template(self, crop: Tensor) -> dict[str, Tensor]:
        """Turn template crops into correlation kernels.

        Args:
            crop: Bx3x127x127.

        Returns:
            name -> BxOxIxKxK, one convolution weight (OxIxKxK) for each crop.
        """

    @abstractmethod
    def search(self, crop: Tensor) -> dict[str, Tensor]:
        """Turn search crops (Bx3xSxS) into the features that are correlated: name -> BxCxHxW."""

    @abstractmethod
    def correlate(self, features: dict[str, Tensor], kernels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Correlate and predict.

        Args:
            features: as :meth:`search` returns them.
            kernels: as :meth:`template` returns them, or one OxIxKxK weight a name when B is 1.

        Returns:
            cls Bx(2A)xRxR (background channels first) and loc Bx(4A)xRxR, levels fused.
        """

    @abstractmethod
    def fold(self) -> None:
        """Move what is linear after the last layer (the fusion of levels) into its weights, in place, for export."""

    def forward(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Both branches and their correlation, for training: see :meth:`correlate`."""
        return self.correlate(self.search(search), self.template(template))


def correlation(feature: Tensor, kernel: Tensor, padding: int = 0) -> Tensor:
    """Convolve each sample's feature with that sample's own kernel.

    Args:
        feature: BxCxHxW.
        kernel: BxOxIxKxK, or OxIxKxK when B is 1 (a plain convolution). C / I is the number of groups.
        padding: zeros around the feature.

    Returns:
        BxOxH'xW'.
    """
    if kernel.dim() == 4:
        return F.conv2d(feature, kernel, padding=padding, groups=feature.shape[1] // kernel.shape[1])
    batch, channels, height, width = feature.shape
    outputs, inputs = kernel.shape[1:3]
    if inputs == 1 and outputs == channels and not padding and torch.is_grad_enabled():
        trained: Tensor = ChannelCorrelation.apply(feature, kernel)  # type: ignore[no-untyped-call]
        return trained
    stacked = feature.reshape(1, batch * channels, height, width)
    weight = kernel.reshape(batch * outputs, *kernel.shape[2:])
    response = F.conv2d(stacked, weight, padding=padding, groups=batch * channels // inputs)
    return response.reshape(batch, outputs, *response.shape[2:])


def depthwise_kernel(feature: Tensor) -> Tensor:
    """A feature (BxCxKxK) as the weight of a depthwise convolution: BxCx1xKxK."""
    return torch.unsqueeze(feature, 2)
