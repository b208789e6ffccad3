"""Counting work from a jaxpr: against sums by hand, gradients and loops included."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.roofline import Peak, count_operations, floor_of

PEAK = Peak(bfloat16=2e3, float32=1e3, bandwidth=1e2, source="made up")


def convolve(x, kernel, *, stride=1, groups=1):
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def shapes(*each):
    return [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in each]


def test_a_product_and_its_gradients():
    def loss(w, x):
        return (x @ w).sum()

    w, x = shapes((5, 7), (3, 5))
    (forward,) = count_operations(loss, w, x)
    assert forward.flops == 2 * 3 * 5 * 7
    assert forward.bytes == 4 * (3 * 5 + 5 * 7 + 3 * 7)
    # With gradients of both operands: each is a product of the same size.
    gradients = count_operations(jax.grad(lambda *args: (loss(*args)) ** 2, (0, 1)), w, x)
    assert sum(each.flops for each in gradients) == 3 * 2 * 3 * 5 * 7


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_and_its_gradients_are_the_same_work(stride):
    x, kernel = shapes((2, 8, 8, 3), (3, 3, 3, 4))
    side = 8 // stride
    forward = 2 * 2 * side * side * 4 * 9 * 3
    found = count_operations(lambda x, k: convolve(x, k, stride=stride), x, kernel)
    assert [each.flops for each in found] == [forward]
    both = count_operations(
        jax.grad(lambda x, k: (convolve(x, k, stride=stride) ** 2).sum(), (0, 1)), x, kernel
    )
    assert len(both) == 3
    if stride == 1:
        assert [each.flops for each in both] == [forward] * 3


def test_a_depthwise_convolution_takes_one_channel_an_output():
    x, kernel = shapes((2, 8, 8, 6), (3, 3, 1, 6))
    (found,) = count_operations(lambda x, k: convolve(x, k, groups=6), x, kernel)
    assert found.flops == 2 * 2 * 8 * 8 * 6 * 9


def test_a_loop_counts_as_often_as_it_runs():
    def many(w):
        return jax.lax.scan(lambda x, _: (x @ w, None), w, length=5)[0]

    found = count_operations(jax.jit(many), *shapes((4, 4)))
    assert sum(each.flops for each in found) == 5 * 2 * 4**3


def test_the_floor_takes_the_longer_of_arithmetic_and_bytes():
    work = count_operations(lambda a, b: a @ b, *shapes((2, 100), (100, 2)))
    # 800 FLOPs take .8 s at 1e3; 1616 bytes take 16.16 s at 1e2, and 50 bytes each way 1 s.
    least = floor_of(work, state_bytes=50, peak=PEAK, dtype="float32")
    assert (least.flops, least.bytes) == (800, 4 * (200 + 200 + 4) + 100)
    assert least.seconds == pytest.approx(16.16 + 1)
    assert floor_of(work, state_bytes=50, peak=None, dtype="float32").seconds is None
