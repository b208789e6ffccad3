"""bfloat16: every network computes in it; parameters, statistics and moments stay float32."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from benchmarks.gpu_step import NETS, configure
from fer_jax import models, train
from fer_jax.optim import make_tx
from fer_jax.preprocess import input_shape, read_preprocess
from fer_jax.state import init_state, variables
from fer_jax.steps import Batch


def test_every_network_is_in_the_list():
    assert {name for name in NETS} | {"linear"} == set(models.BUILDERS)


@pytest.mark.parametrize("net", NETS)
def test_a_step_keeps_float32_and_computes_in_bfloat16(net):
    # Shapes and dtypes alone: nothing is compiled.
    config = configure(net, batch=8, width=0.25, dtype="bfloat16")
    model = models.build(config.model)
    tx = make_tx(config.optim, steps_per_epoch=4, epochs=2)
    shape = input_shape((48, 48, 1), preprocess=read_preprocess(config))
    initialise = partial(init_state, model=model, tx=tx, image_shape=shape)
    state = jax.eval_shape(lambda: initialise(jax.random.key(0)))
    batch = Batch(
        jax.ShapeDtypeStruct((8, 48, 48, 1), jnp.uint8), jax.ShapeDtypeStruct((8,), jnp.int32)
    )
    step = train.make_step(config, model, tx)
    scale = jax.ShapeDtypeStruct((), jnp.float32)
    after, confusion = jax.eval_shape(step, state, batch, scale)
    kept = (after.params, after.batch_stats, after.opt_state, confusion.loss)
    floats = {
        leaf.dtype for leaf in jax.tree.leaves(kept) if jnp.issubdtype(leaf.dtype, jnp.floating)
    }
    assert floats == {jnp.dtype("float32")}
    seen = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    logits, _ = jax.eval_shape(partial(model.apply, train=False), variables(state), seen)
    assert logits.dtype == jnp.float32
    # And the work itself is in bfloat16: the products' operands are.
    text = str(jax.make_jaxpr(step)(state, batch, scale))
    products = [line for line in text.splitlines() if "conv_general_dilated[" in line]
    assert any("bf16[" in line for line in products or text.splitlines())
