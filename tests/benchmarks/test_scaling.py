"""What is counted and computed on paper, and how side-by-side times are taken."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import scaling, timing
from fer_jax.errors import UserError

LINK = scaling.Link("made up", bandwidth=1e9, latency=1e-6)


def test_multiply_adds_are_those_of_convolutions_and_products():
    def network(x, kernel, dense):
        dimensions = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=dimensions, feature_group_count=2
        )
        # Inside another program, as linen's layers may be.
        return jax.jit(jnp.dot)(x.reshape(1, -1), dense) + 1

    shapes = [
        jax.ShapeDtypeStruct(shape, jnp.float32)
        for shape in ((1, 4, 4, 6), (3, 3, 3, 8), (4 * 4 * 8, 10))
    ]
    program = jax.make_jaxpr(network)(*shapes)
    # Each of 4*4*8 outputs sums 3*3 places of 6/2 channels; the product is 128 by 10.
    assert scaling.count_multiply_adds(program.jaxpr) == 4 * 4 * 8 * 3 * 3 * 3 + 128 * 10


def test_a_step_is_arithmetic_and_a_rings_exchange():
    cost = scaling.Cost("made up", multiply_adds=10**6, parameters=10**6)
    options = {"batch": 1000, "flops": 1e12}
    # 6 * 1e6 * 1000 / 1e12 = 6 ms, and nothing to exchange.
    assert scaling.seconds_of_step(cost, LINK, devices=1, **options) == pytest.approx(6e-3)
    # Of 4: 1.5 ms, 2 * 3/4 * 4e6 bytes at 1e9 a second are 6 ms, and 2 * 2 messages.
    assert scaling.seconds_of_step(cost, LINK, devices=4, **options) == pytest.approx(
        1.5e-3 + 6e-3 + 4e-6
    )
    # Of 2: 3 + 4 ms are more than one device's 6, so none pays.
    assert scaling.most_devices(cost, LINK, **options) == (1, 1.0)
    # With a thousandth of the parameters each doubling does, up to one face a device.
    few = cost._replace(parameters=10**3)
    assert scaling.most_devices(few, LINK, batch=4, flops=1e9)[0] == 4


def test_the_table_takes_its_place_in_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{scaling.MARKS[0]}\nold\n{scaling.MARKS[1]}\nafter\n")
    scaling.write_table(page, "| new \\d |\n")
    assert page.read_text() == (
        f"before\n{scaling.MARKS[0]}\n| new \\d |\n{scaling.MARKS[1]}\nafter\n"
    )
    page.write_text("no marks")
    with pytest.raises(UserError, match="has no lines"):
        scaling.write_table(page, "")


def test_ways_are_called_in_turn_after_one_warm_up():
    calls = []
    ways = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    seconds = timing.alternate(ways, repeats=3)
    assert calls == ["a", "b"] * 4
    assert set(seconds["a"]) == {"first", "median", "least", "all"}
    assert len(seconds["b"]["all"]) == 3
