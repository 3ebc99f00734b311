"""Convolutions a channel at a time whose gradients are convolutions too: on a CPU torch's own are far slower."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class ChannelCorrelation(torch.autograd.Function):
    """Correlate each channel of each sample (BxCxHxW) with its own kernel (BxCx1xKxK), without padding.

    The result (BxCx(H-K+1)x(W-K+1)) and the gradient of the feature have the memory format of the feature. The
    gradients can be differentiated again.
    """

    @staticmethod
    def forward(ctx: Any, feature: Tensor, kernel: Tensor) -> Tensor:
        """Correlate; both arguments are kept for the gradients."""
        ctx.channels_last = feature.is_contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(feature, kernel)  # as they came: second derivatives go through what is saved
        planes, kernels = _planes(feature), _kernels(kernel)
        response = F.conv2d(planes, kernels, groups=planes.shape[1])
        return _batched(response, len(feature), channels_last=ctx.channels_last)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of both arguments."""
        feature, kernel = ctx.saved_tensors
        planes, kernels = _planes(feature), _kernels(kernel)
        batch, channels = grad.shape[:2]
        side = kernels.shape[2]
        grad = _planes(grad)
        back = kernels.to(grad.dtype).flip(2, 3)
        grad_planes = F.conv2d(grad, back, padding=side - 1, groups=batch * channels).to(planes.dtype)
        grad_kernels = _kernel_gradient(planes[0].to(grad.dtype), grad[0], side).to(kernels.dtype)
        return (
            _batched(grad_planes, batch, channels_last=ctx.channels_last),
            grad_kernels.reshape(batch, channels, 1, side, side),
        )


def _planes(maps: Tensor) -> Tensor:
    return maps.reshape(1, -1, *maps.shape[2:])


def _kernels(kernel: Tensor) -> Tensor:
    return kernel.reshape(-1, *kernel.shape[2:])


def _batched(planes: Tensor, batch: int, *, channels_last: bool) -> Tensor:
    maps = planes.reshape(batch, -1, *planes.shape[2:])
    return maps.contiguous(memory_format=torch.channels_last) if channels_last else maps


def _kernel_gradient(planes: Tensor, grad: Tensor, side: int) -> Tensor:
    """The sum over the map of feature (CxHxW) times gradient, for each offset of the kernel: CxKxK.

    The products of all columns of the feature with all columns of the gradient come from one matrix product a row
    offset; the wanted ones are those whose columns differ by the column offset, K diagonals of that product.
    """
    channels, _, width = planes.shape
    rows, columns = grad.shape[1:]
    turned = planes.transpose(1, 2).contiguous()
    lines = []
    for offset in range(side):
        products = torch.bmm(turned[:, :, offset : offset + rows], grad)  # C x width x columns
        diagonals = products.as_strided((channels, side, columns), (width * columns, columns, columns + 1))
        lines.append(diagonals.sum(2, dtype=torch.promote_types(grad.dtype, torch.float32)))
    return torch.stack(lines, 1)


class FixedDepthwise(torch.autograd.Function):
    """A depthwise convolution of stride 1 that keeps height and width, and whose weight does not train."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        """BxCxHxW to the same shape; *weight* is Cx1xKxK with K odd."""
        ctx.save_for_backward(weight)
        ctx.dilation = dilation
        return _same_depthwise(x, weight, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of the input alone."""
        (weight,) = ctx.saved_tensors
        return _same_depthwise(grad, weight.to(grad.dtype).flip(2, 3), ctx.dilation), None, None


def _same_depthwise(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    reach = dilation * (weight.shape[2] // 2)
    return F.conv2d(x, weight, padding=reach, dilation=dilation, groups=x.shape[1])


class _FixedDepthwiseConv(nn.Conv2d):
    """A convolution that computes as :class:`FixedDepthwise`."""

    def forward(self, x: Tensor) -> Tensor:
        """BxCxHxW to the same shape."""
        out: Tensor = FixedDepthwise.apply(x, self.weight, self.dilation[0])  # type: ignore[no-untyped-call]
        return out


def depthwise(network: nn.Module) -> dict[str, nn.Conv2d]:
    """The convolutions of *network*, by name, that take every channel by itself."""
    layers = ((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    return {name: layer for name, layer in layers if layer.groups == layer.in_channels > 1}


def fix_depthwise(network: nn.Module) -> None:
    """Take the depthwise convolutions of stride 1 in *network* out of the training, in place; keys and values stay."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _is_fixable(module):
            module.weight.requires_grad_(False)
            module.__class__ = _FixedDepthwiseConv


def _is_fixable(layer: nn.Conv2d) -> bool:
    same = tuple(dilation * (side // 2) for dilation, side in zip(layer.dilation, layer.kernel_size, strict=True))
    depthwise = layer.groups == layer.in_channels == layer.out_channels > 1
    square = layer.kernel_size[0] == layer.kernel_size[1] and layer.kernel_size[0] % 2 == 1
    return depthwise and square and layer.stride == (1, 1) and layer.padding == same and layer.bias is None
