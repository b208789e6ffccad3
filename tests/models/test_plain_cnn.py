"""The plain networks: Alizadeh's and Dick's counts, their names, and where dropout acts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.plain_cnn import ALIZADEH_DEEP, ALIZADEH_SHALLOW, CUSTOM_CNN, PlainCNN
from tests.tiny import abstract_variables, count, fill_variables

TINY = {"blocks": ((4, 3), (6, 5)), "dense": (8,)}
IMAGES = jax.random.uniform(jax.random.key(0), (4, 12, 12, 1))


@pytest.mark.parametrize(
    "fields, parameters, statistics",
    [
        # conv 9 * 64 + 64 = 640 and 9 * 64 * 128 + 128 = 73,856; dense 12 * 12 * 128 * 512 + 512 =
        # 9,437,696; head 512 * 7 + 7 = 3,591; BatchNorm 2 * (64 + 128 + 512) = 1,408.
        (ALIZADEH_SHALLOW, 9_517_191, 1_408),
        # conv 640, 25 * 64 * 128 + 128 = 204,928, 9 * 128 * 512 + 512 = 590,336 and 2,359,808;
        # dense 3 * 3 * 512 * 256 + 256 = 1,179,904 and 256 * 512 + 512 = 131,584; head 3,591;
        # BatchNorm 2 * (64 + 128 + 512 + 512 + 256 + 512) = 3,968.
        (ALIZADEH_DEEP, 4_474_759, 3_968),
        # conv 160, 4,640 and 18,496; dense 6 * 6 * 64 * 128 + 128 = 295,040; head 903.
        (CUSTOM_CNN["v1"], 319_239, 0),
        # and BatchNorm 2 * (16 + 32 + 64 + 128) = 480
        (CUSTOM_CNN["v2"], 319_719, 480),
        (CUSTOM_CNN["v3"], 319_719, 480),
        # conv as above and 9 * 64 * 128 + 128 = 73,856; dense 3 * 3 * 128 * 256 + 256 = 295,168,
        # 32,896 and 8,256; head 455; BatchNorm 2 * (240 + 256 + 128 + 64) = 1,376.
        (CUSTOM_CNN["v4"], 435_303, 1_376),
    ],
)
def test_counts_at_full_width(fields, parameters, statistics):
    variables = abstract_variables(PlainCNN(**fields))
    assert count(variables["params"]) == parameters
    assert count(variables.get("batch_stats", {})) == statistics


def test_layers_and_maps_are_named_by_place():
    model = PlainCNN(**ALIZADEH_DEEP, classes=5, width=0.25)
    variables = abstract_variables(model)
    assert set(variables["params"]) == {
        *(f"conv{i}" for i in range(1, 5)), "fc5", "fc6", *(f"bn{i}" for i in range(1, 7)), "head"
    }
    images = jax.ShapeDtypeStruct((3, 48, 48, 1), jnp.float32)
    logits, out = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert logits.shape == (3, 5)
    assert {name: value.shape[1:] for name, value in out.items()} == {
        "features": (128,), "pool1": (24, 24, 16), "pool2": (12, 12, 32), "pool3": (6, 6, 128),
        "pool4": (3, 3, 128),
    }


@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_acts_in_training_only(dropout):
    model = PlainCNN(**TINY, batch_norm=False, dropout=dropout)
    variables = fill_variables(abstract_variables(model, IMAGES.shape))

    @jax.jit
    def forward(key):
        return model.apply(variables, IMAGES, train=True, rngs={"dropout": key})[0]

    first, second = forward(jax.random.key(0)), forward(jax.random.key(1))
    assert np.allclose(first, second) == (dropout == 0)
    # Testing takes no key.
    logits, out = jax.jit(lambda: model.apply(variables, IMAGES, train=False))()
    # The maps are after ReLU.
    assert logits.shape == (4, 7) and out["pool1"].min() >= 0
