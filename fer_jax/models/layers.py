"""What networks of several papers make their layers by."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn


def make_norm(network: nn.Module, *, train: bool) -> Callable[..., nn.BatchNorm]:
    """Give the maker of a network's BatchNorms: by its `momentum`, `epsilon` and `dtype`."""
    return partial(
        nn.BatchNorm,
        use_running_average=not train,
        momentum=network.momentum,
        epsilon=network.epsilon,
        dtype=network.dtype,
    )
