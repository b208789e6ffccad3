"""Dispatch: many steps in a scan against one at a time, and the order of an epoch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import common
from fer_jax import metrics
from fer_jax.data import Split
from fer_jax.dispatch import epoch_indices, make_dispatch, make_order, put_faces, take_batches
from fer_jax.sharding import make_mesh, replicated
from fer_jax.steps import Inputs, classify_step
from tests.tiny import NETWORK, draw_batch, make_parts

pytestmark = pytest.mark.usefixtures("quick_compile")

INPUTS = Inputs((("flip", True), ("shift", 0.1)), "random_grey", 0.3, 0.5)


@pytest.fixture(scope="module")
def split() -> Split:
    images, labels = draw_batch(32)
    return Split(np.asarray(images), np.asarray(labels), np.arange(32, dtype=np.uint32), None)


def test_distributions_lie_beside_the_faces(split):
    targets = np.random.default_rng(0).dirichlet(np.ones(7), 32).astype(np.float32)
    faces = put_faces(split._replace(targets=targets), make_mesh(2))
    assert len(faces) == 3 and len(put_faces(split, make_mesh(2))) == 2
    np.testing.assert_array_equal(faces.targets, targets)
    assert faces.targets.sharding.is_fully_replicated


def test_a_scan_equals_step_by_step(split):
    config = common.get_config()
    config.model.update(NETWORK)
    tx = optax.sgd(0.05)
    model, _, state = make_parts(config)
    state = state._replace(opt_state=tx.init(state.params))
    step = partial(classify_step, model=model, tx=tx, inputs=INPUTS)
    mesh = make_mesh(1)
    faces = put_faces(split, mesh)
    indices = epoch_indices(state.key, 0, n=32, batch_size=8)
    found = {}
    for steps in (1, 4):
        dispatch = make_dispatch(step, mesh, steps=steps)
        assert dispatch.steps == steps
        # A copy made by a program: donation takes the buffers.
        carry = jax.jit(
            lambda: (jax.tree.map(jnp.copy, state), metrics.empty(7)),
            out_shardings=replicated(mesh),
        )()
        for i in range(0, 4, steps):
            carry = dispatch.train(*carry, faces, indices[i : i + steps], jnp.float32(0.5))
        found[steps] = carry
    one, many = found[1], found[4]
    assert int(one[0].step) == int(many[0].step) == 4
    assert int(one[1].n) == int(many[1].n) == 32
    # The same operations on the same draws. XLA may fuse a loop's body in another way, which moves
    # the last bits; steps on other draws would differ by whole per cents.
    for a, b in zip(
        jax.tree.leaves((one[0].params, one[0].batch_stats, one[1])),
        jax.tree.leaves((many[0].params, many[0].batch_stats, many[1])),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("devices", [1, 2])
def test_state_and_totals_are_donated_and_the_faces_stay(split, devices):
    config = common.get_config()
    config.model.update({"name": "linear"})
    model, tx, state = make_parts(config)
    mesh = make_mesh(devices)
    faces = put_faces(split, mesh)
    dispatch = make_dispatch(
        partial(classify_step, model=model, tx=tx, inputs=Inputs()), mesh, steps=2
    )
    before = jax.jit(
        lambda: (jax.tree.map(jnp.copy, state), metrics.empty(7)), out_shardings=replicated(mesh)
    )()
    indices = jax.device_put(np.arange(16, dtype=np.int32).reshape(2, 8), replicated(mesh))
    scale = jax.device_put(np.float32(1), replicated(mesh))
    after = dispatch.train(*before, faces, indices, scale)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before))
    kept = jax.tree.leaves((after, faces, indices, scale))
    assert not any(leaf.is_deleted() for leaf in kept)


@pytest.mark.parametrize("devices", [1, 4])
def test_batches_are_taken_by_explicit_transfers_alone(devices):
    indices = jax.device_put(np.arange(12).reshape(6, 2), replicated(make_mesh(devices)))
    with jax.transfer_guard("disallow"):
        taken = take_batches(indices, 1, 3), take_batches(indices, 5, 6)
    np.testing.assert_array_equal(taken[0], [[2, 3], [4, 5]])
    np.testing.assert_array_equal(taken[1], [[10, 11]])


def test_zero_steps_choose_one_on_a_cpu():
    assert make_dispatch(lambda *arguments: arguments, make_mesh(1), steps=0).steps == 1


def test_faces_stay_bytes_on_every_device(split):
    faces = put_faces(split, make_mesh(4))
    assert faces.images.dtype == jnp.uint8
    assert faces.images.sharding.is_fully_replicated
    assert len(faces.images.sharding.device_set) == 4


def test_an_epoch_takes_each_face_once_and_drops_what_does_not_fill_a_batch():
    indices = np.asarray(epoch_indices(jax.random.key(0), 0, n=30, batch_size=8))
    assert indices.shape == (3, 8)
    assert indices.dtype == np.int32
    assert len(set(indices.ravel())) == 24
    assert set(indices.ravel()) <= set(range(30))


def test_epochs_have_orders_of_their_own_that_come_again():
    first, second = (
        np.asarray(epoch_indices(jax.random.key(0), epoch, n=30, batch_size=8)) for epoch in (0, 1)
    )
    assert (first != second).any()
    assert set(first.ravel()) != set(second.ravel())
    again = epoch_indices(jax.random.key(0), 0, n=30, batch_size=8)
    np.testing.assert_array_equal(again, first)


def test_oversampling_draws_every_class_equally_often():
    labels = np.repeat([0, 3, 5], [80, 10, 6])  # 96 faces; three classes of the seven
    draw = make_order(labels, balance="oversample", batch_size=10)
    first, again = (np.asarray(draw(jax.random.key(0), epoch)) for epoch in (0, 0))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (9, 10) and first.dtype == np.int32  # as many steps as without
    counts = np.bincount(labels[first.ravel()], minlength=7)
    # 96 / 3 = 32 of each, of which the six after the last whole batch are left out.
    assert counts.sum() == 90 and counts.max() <= 32 and counts[[0, 3, 5]].min() >= 32 - 6
    faces = np.bincount(first.ravel(), minlength=96)
    assert faces[:80].max() == 1  # 32 of 80: none twice
    # 32 of 10 are three rounds and 2 more, 32 of 6 five rounds and 2 more; less what is left out.
    assert faces[80:90].max() <= 4 and faces[90:].max() <= 6
    assert faces[80:].min() >= 1
    other = np.asarray(draw(jax.random.key(0), 1))
    assert (first != other).mean() > 0.5
    # A batch is as mixed as the epoch: the first ten are not all of one class.
    assert len(set(labels[first[0]])) > 1


def test_without_balance_the_order_is_the_plain_one():
    draw = make_order(np.zeros(30, int), balance="none", batch_size=8)
    np.testing.assert_array_equal(
        draw(jax.random.key(0), 3), epoch_indices(jax.random.key(0), 3, n=30, batch_size=8)
    )
