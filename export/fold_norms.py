"""Fold batch norms into the convolutions before them, so that weights keep their names in the exported graph."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_norms(module: nn.Module) -> None:
    """Fold each batch norm of *module*, in place, into the convolution registered just before it; exact up to rounding.

    Args:
        module: in evaluation mode.
    """
    children = list(module.named_children())
    for (name, layer), (norm_name, norm) in zip(children, children[1:]):
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(layer, norm))
            setattr(module, norm_name, nn.Identity())
    for _, child in children:
        fold_norms(child)
