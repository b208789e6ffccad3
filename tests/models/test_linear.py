"""Softmax regression: its count, and its arithmetic by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from fer_jax.models.linear import Linear


def test_it_is_one_dense_layer_on_centred_pixels():
    model, images = Linear(), jax.random.uniform(jax.random.key(0), (3, 4, 4, 1))
    params = model.init(jax.random.key(1), images, train=False)["params"]
    logits, out = model.apply({"params": params}, images, train=True)
    pixels = np.asarray(images).reshape(3, 16) - 0.5
    np.testing.assert_allclose(out["features"], pixels, atol=1e-7)
    head = jax.tree.map(np.asarray, params["head"])
    np.testing.assert_allclose(logits, pixels @ head["kernel"] + head["bias"], atol=1e-6)


def test_parameters_on_faces():
    faces = jnp.zeros((1, 48, 48, 1))
    params = jax.eval_shape(lambda: Linear().init(jax.random.key(0), faces, train=False))["params"]
    # 48 * 48 * 7 + 7
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 16_135
