"""Dong's VGG16: its counts with each pool and attention, its names and maps, what it refuses."""

import jax
import jax.numpy as jnp
import pytest

from fer_jax.models.vgg16 import VGG16
from tests.tiny import abstract_variables, count

RAF_DB, SFEW, FER2013 = (2, 90, 90, 3), (2, 112, 112, 3), (2, 48, 48, 1)

# Trunk on RGB, 9 * in * out + out: 1,792 + 36,928 + 73,856 + 147,584 + 295,168 + 2 * 590,080
#   + 1,180,160 + 5 * 2,359,808 = 14,714,688
# BatchNorm after each, scale and bias: 2 * (2 * 64 + 2 * 128 + 3 * 256 + 6 * 512) = 8,448
# Head: 2 * 2,359,808 = 4,719,616; its BatchNorm 2 * 2 * 512 = 2,048; dense 512 * 7 + 7 = 3,591
PLAIN = 19_448_391


@pytest.mark.parametrize(
    "fields, shape, added",
    [
        ({}, RAF_DB, 0),
        ({}, SFEW, 0),  # the mean of the last map: the same network for any size
        ({}, FER2013, -9 * 2 * 64),  # one channel instead of three
        ({"flatten": True}, RAF_DB, (2 * 2 - 1) * 512 * 7),
        ({"flatten": True}, SFEW, (3 * 3 - 1) * 512 * 7),
        # LIP, with the sums over the five pools' channels c: of c 1,472, of c^2 4,096 + 16,384 +
        # 65,536 + 2 * 262,144 = 610,304. InstanceNorm of c channels: 2 * 1,472 = 2,944.
        ({"pool": "projection"}, RAF_DB, 610_304 + 2_944),  # 613,248
        ({"pool": "simplified"}, RAF_DB, 9 * 610_304 + 2_944),  # 5,495,680
        # 1x1 in and out 2 * 128 * 1,472 = 376,832; 3x3 5 * 9 * 128^2 = 737,280; InstanceNorm
        # 5 * 2 * 2 * 128 = 2,560 and 2,944: 1,119,616
        ({"pool": "bottleneck"}, RAF_DB, 376_832 + 737_280 + 2_560 + 2_944),
        # 512 to 32 and back, with biases: 2 * 512 * 32 + 32 + 512
        ({"attention": "se"}, RAF_DB, 33_312),
        ({"attention": "eca"}, RAF_DB, 5),
    ],
)
def test_counts_at_full_width(fields, shape, added):
    variables = abstract_variables(VGG16(**fields), shape)
    assert count(variables["params"]) == PLAIN + added
    # A mean and a variance for each scale and bias; LIP's InstanceNorm keeps none.
    assert count(variables["batch_stats"]) == 8_448 + 2_048


def test_lips_layers_are_added_and_nothing_else_changes_its_name():
    plain = set(abstract_variables(VGG16(), RAF_DB)["params"])
    lip = set(abstract_variables(VGG16(pool="bottleneck", attention="se"), RAF_DB)["params"])
    depths = (2, 2, 3, 3, 3)
    places = [f"{i}_{j}" for i, depth in enumerate(depths, 1) for j in range(1, depth + 1)]
    assert plain == {
        *(f"{kind}{place}" for kind in ("conv", "bn") for place in (*places, "6", "7")), "head"
    }
    assert lip - plain == {*(f"pool{i}" for i in range(1, 6)), "attend"} and plain < lip


@pytest.mark.parametrize("pool", ["max", "simplified"])
def test_maps_follow_width_classes_and_the_faces_size(pool):
    # 90 - 45 - 22 - 11 - 5 - 2: the odd row and column are dropped by either pool.
    model = VGG16(classes=5, width=0.25, pool=pool, dtype=jnp.bfloat16)
    variables = abstract_variables(model, RAF_DB)
    images = jax.ShapeDtypeStruct((3, 90, 90, 3), jnp.float32)
    logits, out = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert (logits.shape, logits.dtype) == ((3, 5), jnp.float32)
    assert {name: value.shape[1:] for name, value in out.items()} == {
        "features": (128,), "maps": (2, 2, 128), "pool1": (45, 45, 16), "pool2": (22, 22, 32),
        "pool3": (11, 11, 64), "pool4": (5, 5, 128), "pool5": (2, 2, 128),
    }
    assert out["maps"].dtype == out["pool1"].dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"pool": "projected"}, "pool is 'projected'. Did you mean 'projection'"),
        ({"attention": "sa"}, "attention is 'sa'"),
        ({"attention_at": "end"}, "attention_at is 'end'"),
    ],
)
def test_what_there_is_not_is_answered(fields, message):
    with pytest.raises(ValueError, match=message):
        abstract_variables(VGG16(**fields), RAF_DB)


@pytest.mark.parametrize("pool", ["max", "projection"])
def test_faces_too_small_for_five_pools_are_named(pool):
    with pytest.raises(ValueError, match=r"\[2, 1, 1, 512\]"):
        abstract_variables(VGG16(pool=pool), (2, 31, 31, 1))
