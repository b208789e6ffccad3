"""Arrays that are kept are themselves, and are computed once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops.backend import by_backend, keep

X = jnp.arange(12.0).reshape(3, 4)
on_a_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="elsewhere XLA is left alone")


def read_in_two_shapes(function, x):
    """Read an array in two shapes: transposed, and moved by a row."""
    y = function(2 * x + 1)
    return y.T + 3, y[1:] * y[:-1]


def test_kept_arrays_are_themselves_in_any_tree():
    found = jax.jit(keep)((X, [X + 1]))
    np.testing.assert_array_equal(found[0], X)
    np.testing.assert_array_equal(found[1][0], X + 1)


def test_results_and_gradients_are_those_without():
    def loss(function, x):
        return sum(a.sum() for a in read_in_two_shapes(function, x))

    for differentiate in (jax.value_and_grad, jax.vmap):
        kept, plain = (
            jax.jit(differentiate(lambda x, f=f: loss(f, x)))(X) for f in (keep, lambda y: y)
        )
        jax.tree.map(np.testing.assert_array_equal, kept, plain)


@on_a_cpu
def test_xla_computes_a_kept_array_once():
    def count_fusions_that_double(function):
        compiled = jax.jit(lambda x: read_in_two_shapes(function, x)).lower(X).compile().as_text()
        return sum("constant(2)" in part for part in compiled.split("\n\n"))

    assert count_fusions_that_double(lambda y: y) == 2  # once for each shape it is read in
    assert count_fusions_that_double(keep) == 1


@on_a_cpu
def test_a_cpu_takes_its_form():
    assert by_backend(X, cpu=lambda x: x + 1, default=lambda x: x).sum() == X.sum() + X.size
