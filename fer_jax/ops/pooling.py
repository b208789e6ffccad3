"""Max-pooling over 2x2 windows, in a form that is quick on a CPU and right in its gradient."""

import jax
import jax.numpy as jnp


def max_pool_2x2(x: jax.Array) -> jax.Array:
    """Take the maximum of each 2x2 window, stride 2: [b, h, w, c] -> [b, h // 2, w // 2, c].

    An odd last row or column is dropped ("VALID"). The gradient goes to the first maximum of a
    window, row by row, like that of `flax.linen.max_pool`. Raises ValueError where h or w is
    below 2.
    """
    height, width = x.shape[1] // 2, x.shape[2] // 2
    if not (height and width):
        raise ValueError(
            f"max_pool_2x2 got {list(x.shape)}; h and w must be at least 2: take larger images or"
            " fewer pooling blocks"
        )
    return _pool(x[:, : 2 * height, : 2 * width, :])


# Not reshape + max: its gradient compares a recomputed x with the maximum, and after a BatchNorm
# under jit the two can differ in the last bit, which sends the gradient astray. The gradient here
# reads the choice the forward pass made.
@jax.custom_vjp
def _pool(x):
    return _pool_forward(x)[0]


def _pool_forward(x):
    top_left, top_right = x[:, ::2, ::2, :], x[:, ::2, 1::2, :]
    bottom_left, bottom_right = x[:, 1::2, ::2, :], x[:, 1::2, 1::2, :]
    top = jnp.maximum(top_left, top_right)
    bottom = jnp.maximum(bottom_left, bottom_right)
    chosen = jnp.where(
        bottom > top,
        2 + (bottom_right > bottom_left).astype(jnp.int8),
        (top_right > top_left).astype(jnp.int8),
    )
    return jnp.maximum(top, bottom), chosen


def _pool_backward(chosen, gradient):
    place = jnp.arange(4, dtype=jnp.int8).reshape(1, 1, 2, 1, 2, 1)
    spread = jnp.where(
        chosen[:, :, None, :, None, :] == place,
        gradient[:, :, None, :, None, :],
        jnp.zeros((), gradient.dtype),
    )
    b, h, _, w, _, c = spread.shape
    return (spread.reshape(b, 2 * h, 2 * w, c),)


_pool.defvjp(_pool_forward, _pool_backward)
