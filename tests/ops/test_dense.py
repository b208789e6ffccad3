"""Products of a few rows against XLA's own, in value and in gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops import dense


def draw(rows, dtype=jnp.float32):
    generator = np.random.default_rng(0)
    shapes = (rows, 40), (40, 30), (rows, 30)
    return tuple(jnp.asarray(generator.normal(size=shape), dtype) for shape in shapes)


def with_gradients(function, x, kernel, weights):
    value, pull = jax.vjp(lambda *both: function(*both, dense.MATRICES), x, kernel)
    return value, *pull(weights)


@pytest.fixture
def every_matrix(monkeypatch):
    """Take small matrices for large ones."""
    monkeypatch.setattr(dense, "ENTRIES", 1)


@pytest.mark.parametrize("rows", [5, dense.ROWS])
def test_value_and_gradients_are_xlas_to_rounding(rows, every_matrix):
    arrays = draw(rows)
    mine = jax.jit(lambda *a: with_gradients(dense.dot_general, *a))(*arrays)
    for a, b in zip(mine, with_gradients(jax.lax.dot_general, *arrays), strict=True):
        # Sums of up to 40 products of order one.
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_under_vmap_it_is_each_ones(every_matrix):
    x, kernel, _ = draw(5)
    mapped = jax.vmap(lambda kernel: dense.dot_general(x, kernel, dense.MATRICES))
    both = mapped(jnp.stack([kernel, -kernel]))
    np.testing.assert_allclose(both[0], x @ kernel, atol=1e-5)
    np.testing.assert_allclose(both[1], -(x @ kernel), atol=1e-5)


@pytest.mark.parametrize(
    ("rows", "dtype", "taken"),
    [(dense.ROWS, jnp.float32, (True, True)),
     (dense.ROWS + 1, jnp.float32, (False, False)), (2, jnp.bfloat16, (False, False))],
)
def test_it_is_for_few_rows_in_single_precision(rows, dtype, taken, every_matrix):
    x, kernel, weights = draw(rows, dtype)
    value = jax.make_jaxpr(lambda *a: dense.dot_general(*a, dense.MATRICES))(x, kernel)
    _, pull = jax.vjp(lambda x: dense.dot_general(x, kernel, dense.MATRICES), x)
    gradient = jax.make_jaxpr(pull)(weights)
    assert tuple("platform_index" in str(program) for program in (value, gradient)) == taken


def test_small_matrices_are_left_to_xla():
    x, kernel, _ = draw(2)
    program = jax.make_jaxpr(lambda *a: dense.dot_general(*a, dense.MATRICES))(x, kernel)
    assert "platform_index" not in str(program)
