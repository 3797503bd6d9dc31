"""Networks that only look: what a frozen backbone costs when it makes features of many images."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from torch import Tensor

M = TypeVar("M", bound=nn.Module)
T = TypeVar("T")

_AT_ONCE = {"cpu": 2}  # rows of images: the maps of many do not stay in a CPU's caches


def still(network: M) -> M:
    """Return a copy in evaluation mode that takes no gradient and keeps channels last, as images come.

    Where a normalisation follows a convolution in a Sequential it is folded into it. It sees the same to rounding.
    """
    copy = deepcopy(network).eval().requires_grad_(requires_grad=False)
    for module in copy.modules():
        if isinstance(module, nn.Sequential):
            for (name, layer), (following, norm) in pairwise(list(module.named_children())):
                if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module.add_module(name, fuse_conv_bn_eval(layer, norm))
                    module.add_module(following, nn.Identity())
    return copy.to(memory_format=torch.channels_last)


def see(look: Callable[..., T], arrays: Sequence[np.ndarray], device: torch.device) -> list[T]:
    """Return what a network makes of images, each an array of equal length, as many at once as a device is best at."""
    tensors: list[Tensor] = [torch.from_numpy(array) for array in arrays]
    count = _AT_ONCE.get(device.type, len(tensors[0]))
    with torch.no_grad():
        return [
            look(*(part.to(device) for part in parts)) for parts in zip(*(t.split(count) for t in tensors), strict=True)
        ]
