"""Optimizers against PyTorch's: the same weights after some steps, decay, momentum and all."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import common
from fer_jax.optim import make_tx

torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")

STEPS = 12  # in epochs of 4
GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, 5)).astype(np.float32)
START = np.linspace(-1, 1, 5, dtype=np.float32)
SCHEDULE = {"schedule": "step", "step_epochs": 1, "step_factor": 0.3}
DECAY = 0.1


def ours(**fields):
    config = common.get_config().optim
    config.update({"learning_rate": 0.05, "epsilon": 1e-8, "beta2": 0.999, **SCHEDULE, **fields})
    tx = make_tx(config, steps_per_epoch=4, epochs=3)
    params = {"kernel": jnp.asarray(START)}
    state = tx.init(params)
    for gradient in GRADIENTS:
        updates, state = tx.update({"kernel": jnp.asarray(gradient)}, state, params)
        params = optax.apply_updates(params, updates)
    return np.asarray(params["kernel"])


def theirs(kind, *, clip=0.0, **options):
    weight = torch.nn.Parameter(torch.from_numpy(START.copy()))
    optimizer = kind([weight], lr=0.05, **options)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.3)
    for i, gradient in enumerate(GRADIENTS):
        weight.grad = torch.from_numpy(gradient.copy())
        if clip:
            torch.nn.utils.clip_grad_norm_([weight], clip)
        optimizer.step()
        if i % 4 == 3:
            schedule.step()
    return weight.detach().numpy()


@pytest.mark.parametrize(
    "fields, kind, options",
    [
        ({"name": "sgd", "momentum": 0.9, "nesterov": True, "l2": DECAY / 2}, "SGD",
         {"momentum": 0.9, "nesterov": True, "weight_decay": DECAY}),
        ({"name": "sgd", "momentum": 0.9}, "SGD", {"momentum": 0.9}),
        ({"name": "adam", "l2": DECAY / 2}, "Adam", {"weight_decay": DECAY}),
        ({"name": "adamw", "weight_decay": DECAY}, "AdamW", {"weight_decay": DECAY}),
        ({"name": "adamw", "weight_decay": DECAY, "clip_norm": 0.5}, "AdamW",
         {"weight_decay": DECAY, "clip": 0.5}),
    ],
)
def test_steps_are_pytorchs(fields, kind, options):
    found, expected = ours(**fields), theirs(getattr(torch.optim, kind), **options)
    assert np.abs(expected - START).min() > 1e-3, "it moved"
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
