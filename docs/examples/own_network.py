"""A network of your own, and the run that trains it.

Command:  python -m fer_jax.main --config=docs/examples/own_network.py --workdir=runs/two_layers
"""

import flax.linen as nn
from ml_collections import ConfigDict

from configs import quickstart
from fer_jax import models


class TwoLayers(nn.Module):
    """Classify faces with one convolution and one dense layer."""

    classes: int = 7
    filters: int = 16

    @nn.compact
    def __call__(self, x, *, train):
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`, with `features` `[b, d]`."""
        del train  # no layer of it depends on that
        x = nn.relu(nn.Conv(self.filters, (5, 5), strides=3, name="conv1")(x))
        features = x.reshape(x.shape[0], -1)
        return nn.Dense(self.classes, name="head")(features), {"features": features}


models.MODULES["two_layers"] = TwoLayers  # config.model has its attributes
models.BUILDERS["two_layers"] = lambda model: TwoLayers(model.classes, model.filters)


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the quickstart's VGG run, with this network in the VGG's place."""
    config = quickstart.get_config().runs.vgg
    config.model = ConfigDict({"name": "two_layers", "classes": 7, "filters": 16})
    return config
