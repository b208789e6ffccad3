"""Small things that several tests need: configs cut down, made-up faces, states without init."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from configs import common
from fer_jax import models
from fer_jax.configuring import load_config
from fer_jax.optim import make_tx
from fer_jax.preprocess import input_shape, read_preprocess
from fer_jax.state import TrainState, init_state
from fer_jax.steps import Batch

# Two blocks of one convolution and one small dense layer: seconds less of compiling than a VGG.
NETWORK = {
    "width": 1.0, "blocks": ((4, 1), (8, 1)), "dense": (8,), "filters": (2, 2), "dropout": 0.4,
}


def draw_batch(b: int = 8, *, size: int = 16, seed: int = 0) -> Batch:
    """Draw noise as faces `[b, size, size, 1]`, each brighter than the last, and labels."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 200, (b, size, size, 1)) + np.arange(b).reshape(-1, 1, 1, 1)
    return Batch(
        jnp.asarray(images, jnp.uint8), jnp.asarray(generator.integers(0, 7, b), jnp.int32)
    )


def make_parts(config, *, image_shape=(16, 16, 1)):
    """Make a config's network, optimizer and a state for stored faces, without running any init."""
    model = models.build(config.model)
    tx = make_tx(config.optim, steps_per_epoch=4, epochs=config.epochs)
    seen = input_shape(image_shape, preprocess=read_preprocess(config))
    initialise = partial(init_state, model=model, tx=tx, image_shape=seen)
    return model, tx, fill_state(jax.eval_shape(lambda: initialise(jax.random.key(0))))


def fill_state(abstract: TrainState, *, seed: int = 0) -> TrainState:
    """Fill an abstract state: parameters as `fill_variables` does, the optimizer with zeros."""
    filled = fill_variables({"params": abstract.params, "stats": abstract.batch_stats}, seed=seed)
    return abstract._replace(
        step=jnp.asarray(0, jnp.int32),
        params=filled["params"],
        batch_stats=filled["stats"],
        opt_state=jax.tree.map(
            lambda leaf: jnp.asarray(np.zeros(leaf.shape), leaf.dtype), abstract.opt_state
        ),
        key=jax.random.key(seed),
    )


def model_config(name: str = "vgg", **fields) -> ConfigDict:
    """Give `config.model` of a network, from its own config or else common, and change fields."""
    own = name in models.MODULES
    config = load_config(f"configs/{name}.py").model if own else common.get_config().model
    config.update({"name": name, **fields})
    return config


def abstract_variables(model, shape=(2, 48, 48, 1)):
    """Give the shapes of a network's variables for images of a shape, computing nothing."""
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)


def count(tree) -> int:
    """Count the numbers in a tree of arrays."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def fill_variables(abstract, *, seed: int = 0):
    """Fill abstract variables: He's scale for kernels, 1 for scales and variances, else 0.

    Running a network's own init means compiling it, which costs more than most tests' own work.
    """
    generator = np.random.default_rng(seed)

    def fill(path, leaf):
        name = path[-1].key
        if name == "kernel":
            spread = np.sqrt(2 / np.prod(leaf.shape[:-1]))
            return jnp.asarray(generator.normal(0, spread, leaf.shape), leaf.dtype)
        return jnp.asarray(np.full(leaf.shape, float(name in ("scale", "var"))), leaf.dtype)

    return jax.tree_util.tree_map_with_path(fill, abstract)
