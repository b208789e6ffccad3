"""The denoising autoencoder: its count, its names and shapes, and the sizes it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.dae import DAE
from tests.tiny import fill_variables


def abstract_init(model, shape=(2, 48, 48, 1)):
    return jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros(shape), train=False))


def test_parameters_are_the_papers():
    params = abstract_init(DAE())["params"]
    # 1 -> 16: 9 * 16 + 16 = 160; 16 -> 24: 3,480; 24 -> 24: 5,208; 24 -> 16: 3,472;
    # 16 -> 1: 145; together 12,465.
    counts = {name: sum(leaf.size for leaf in layer.values()) for name, layer in params.items()}
    assert counts == {
        "encode1": 160, "encode2": 3480, "decode1": 5208, "decode2": 3472, "decode3": 145
    }
    assert sum(counts.values()) == 12_465


@pytest.mark.parametrize("shape", [(3, 48, 48, 1), (2, 8, 12, 3)])
def test_output_names_and_shapes(shape):
    model = DAE(filters=(2, 5))
    b, height, width, _ = shape
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    logits, out = jax.eval_shape(
        lambda v, x: model.apply(v, x, train=False), abstract_init(model, shape), images
    )
    assert logits.shape == shape
    assert {name: value.shape for name, value in out.items()} == {
        "recon": shape, "features": (b, height // 4, width // 4, 5)
    }


def test_reconstruction_is_the_sigmoid_of_the_logits():
    model = DAE(filters=(2, 2))
    variables = fill_variables(abstract_init(model, (2, 8, 8, 1)))
    images = jax.random.uniform(jax.random.key(0), (2, 8, 8, 1))
    logits, out = jax.jit(lambda: model.apply(variables, images, train=False))()
    np.testing.assert_allclose(out["recon"], 1 / (1 + np.exp(-np.asarray(logits))), rtol=1e-5)


@pytest.mark.parametrize("height, width", [(50, 48), (48, 46), (1, 4)])
def test_a_size_that_does_not_halve_twice_is_refused(height, width):
    with pytest.raises(ValueError, match=rf"{height}x{width} pixels.*multiple of 4"):
        abstract_init(DAE(), (1, height, width, 1))


def test_bfloat16_keeps_parameters_and_outputs_in_float32():
    model = DAE(dtype=jnp.bfloat16)
    variables = abstract_init(model)
    images = jax.ShapeDtypeStruct((2, 48, 48, 1), jnp.float32)
    logits, out = jax.eval_shape(lambda v, x: model.apply(v, x, train=True), variables, images)
    assert out["features"].dtype == jnp.bfloat16
    kept = [logits, out["recon"], *jax.tree.leaves(variables)]
    assert {leaf.dtype for leaf in kept} == {jnp.dtype("float32")}
