"""ResNet9: the table of layers that Dick prints, and labels 0..6 on its eight outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax import losses, metrics
from fer_jax.models.resnet9 import ResNet9
from tests.tiny import abstract_variables, count


@pytest.mark.parametrize("classes, parameters", [(7, 6_572_679), (8, 6_573_192)])
def test_counts_are_the_printed_ones(classes, parameters):
    variables = abstract_variables(ResNet9(classes=classes))
    sizes = {name: count(leaves) for name, leaves in variables["params"].items()}
    # Figure 3 of the paper, in order, with its BatchNorms; 512 * classes + classes at the end.
    assert sizes == {
        "stage1_conv": 640, "stage1_bn": 128,
        "stage2_conv": 73_856, "stage2_bn": 256,
        "stage2_res1_conv": 147_584, "stage2_res1_bn": 256,
        "stage2_res2_conv": 147_584, "stage2_res2_bn": 256,
        "stage3_conv": 295_168, "stage3_bn": 512,
        "stage4_conv": 1_180_160, "stage4_bn": 1_024,
        "stage4_res1_conv": 2_359_808, "stage4_res1_bn": 1_024,
        "stage4_res2_conv": 2_359_808, "stage4_res2_bn": 1_024,
        "head": 513 * classes,
    }
    assert sum(sizes.values()) == parameters
    # A mean and a variance of each BatchNorm's channels: as many as its scales and biases.
    assert count(variables["batch_stats"]) == 4_480


def test_maps_have_the_printed_sizes():
    model = ResNet9(width=1 / 16)
    images = jax.ShapeDtypeStruct((2, 48, 48, 1), jnp.float32)
    _, out = jax.eval_shape(
        lambda v, x: model.apply(v, x, train=False), abstract_variables(model), images
    )
    assert {name: value.shape[1:] for name, value in out.items()} == {
        "stage1": (48, 48, 4), "stage2": (24, 24, 8), "stage3": (12, 12, 16), "stage4": (6, 6, 32),
        "features": (32,),
    }


def test_faces_smaller_than_the_last_pool_are_refused():
    with pytest.raises(ValueError, match="last map is 2x2 and the last pool 4x4.*last_pool"):
        abstract_variables(ResNet9(width=1 / 64), (2, 16, 16, 1))


def test_labels_of_seven_classes_are_measured_on_eight_outputs():
    """No label asks for the eighth output: it costs loss, and no mean over classes counts it."""
    logits = jnp.zeros((7, 8)).at[jnp.arange(7), jnp.arange(7)].set(5.0)
    labels, mask = jnp.arange(7), jnp.ones(7, bool)
    confusion = metrics.empty(8) + metrics.of_logits(logits, labels, mask)
    summary = metrics.summarise(confusion)
    assert np.shape(summary["confusion"]) == (8, 8)
    assert summary["accuracy"] == summary["balanced_accuracy"] == summary["macro_f1"] == 1
    assert summary["per_class"]["recall"][7] is None
    # The softmax runs over all eight.
    expected = np.log(np.exp(5) + 7) - 5
    np.testing.assert_allclose(losses.cross_entropy(logits, labels), expected, rtol=1e-5)
    # Everything said to be the eighth class: wrong, and a class that is predicted counts.
    wrong = metrics.of_logits(jnp.zeros((7, 8)).at[:, 7].set(5.0), labels, mask)
    assert metrics.summarise(wrong)["accuracy"] == 0
