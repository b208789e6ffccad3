"""Max-pools against a NumPy loop and against Flax's pool, in value and in gradient."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops.pooling import max_pool_2x2, max_pool_3x3

SHAPES = [(2, 4, 6, 3), (1, 5, 7, 2), (3, 2, 3, 1)]


def flax_pool(x):
    return nn.max_pool(x, (2, 2), strides=(2, 2))


def numpy_pool(x):
    b, h, w, c = x.shape
    out = np.empty((b, h // 2, w // 2, c), x.dtype)
    for i in range(h // 2):
        for j in range(w // 2):
            out[:, i, j] = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(1, 2))
    return out


def numpy_pool_gradient(x, gradient):
    out = np.zeros_like(x)
    for b, i, j, c in np.ndindex(gradient.shape):
        window = x[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        down, right = np.unravel_index(np.argmax(window), (2, 2))  # argmax takes the first
        out[b, 2 * i + down, 2 * j + right, c] = gradient[b, i, j, c]
    return out


def draw(shape, *, ties, dtype=jnp.float32):
    key = jax.random.key(sum(shape))
    if ties:  # three values over windows of four: every window holds a tie
        return jax.random.randint(key, shape, 0, 3).astype(dtype)
    return jax.random.normal(key, shape, dtype)


def gradient_of(pool, x):
    """Give the gradient where every output pixel has a weight of its own."""
    shape = jax.eval_shape(pool, x).shape
    weights = jax.random.normal(jax.random.key(9), shape, x.dtype)
    return jax.vjp(pool, x)[1](weights)[0], weights


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shape", [(2, 7, 9, 3), (1, 8, 6, 2), (2, 3, 4, 1)])
def test_overlapping_pool_and_its_gradient_are_flax_s(shape, ties):
    def flax_s(x):
        return nn.max_pool(x, (3, 3), strides=(2, 2))

    x = draw(shape, ties=ties)
    np.testing.assert_array_equal(max_pool_3x3(x), flax_s(x))
    mine, theirs = gradient_of(max_pool_3x3, x)[0], gradient_of(flax_s, x)[0]
    # A pixel that is the maximum of up to four windows adds up as many, in either order.
    np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_overlapping_pool_names_maps_that_are_too_small():
    with pytest.raises(ValueError, match=r"\[1, 2, 5, 1\]; h and w must be at least 3"):
        max_pool_3x3(jnp.zeros((1, 2, 5, 1)))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradient_match_numpy_and_flax(shape, ties):
    x = draw(shape, ties=ties)
    np.testing.assert_array_equal(max_pool_2x2(x), numpy_pool(np.asarray(x)))
    gradient, weights = gradient_of(max_pool_2x2, x)
    expected = numpy_pool_gradient(np.asarray(x), np.asarray(weights))
    np.testing.assert_array_equal(gradient, expected)
    np.testing.assert_array_equal(gradient, gradient_of(flax_pool, x)[0])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_keeps_the_dtype_under_jit(dtype):
    x = draw((2, 6, 5, 2), ties=True, dtype=dtype)
    pooled = jax.jit(max_pool_2x2)(x)
    gradient, _ = jax.jit(lambda x: gradient_of(max_pool_2x2, x))(x)
    assert pooled.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(pooled, flax_pool(x))
    np.testing.assert_array_equal(gradient, gradient_of(flax_pool, x)[0])


def test_vmap_over_an_extra_axis():
    x = draw((3, 2, 4, 4, 2), ties=False)

    def loss(x):
        return (max_pool_2x2(x) ** 2).sum()

    pooled, gradients = jax.jit(jax.vmap(lambda x: (max_pool_2x2(x), jax.grad(loss)(x))))(x)
    for i, one in enumerate(np.asarray(x)):
        expected = numpy_pool(one)
        np.testing.assert_array_equal(pooled[i], expected)
        np.testing.assert_array_equal(gradients[i], numpy_pool_gradient(one, 2 * expected))


def test_gradient_of_a_network_with_batch_norm_under_jit():
    """Compare with Flax's pool where XLA may fuse the pool with what comes before it."""
    images = jax.random.uniform(jax.random.key(0), (8, 12, 12, 1))
    kernels = [
        0.5 * jax.random.normal(jax.random.key(i), shape)
        for i, shape in enumerate([(3, 3, 1, 8), (3, 3, 8, 8)])
    ]

    def gradients(pool):
        def loss(kernels):
            x = images
            for kernel in kernels:
                x = jax.lax.conv_general_dilated(
                    x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
                x = jax.nn.standardize(jax.nn.relu(x), axis=(0, 1, 2), epsilon=1e-3)
                x = pool(x)
            return (x**3).mean()

        return jax.jit(jax.grad(loss))(kernels)

    for ours, theirs in zip(gradients(max_pool_2x2), gradients(flax_pool), strict=True):
        error = jnp.linalg.norm((ours - theirs).ravel())
        assert error <= 1e-4 * jnp.linalg.norm(theirs.ravel())  # float32 sums in another order


def test_an_image_too_small_is_named():
    with pytest.raises(ValueError, match=r"\[1, 1, 4, 2\].*at least 2"):
        max_pool_2x2(jnp.zeros((1, 1, 4, 2)))
