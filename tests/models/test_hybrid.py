"""The hybrid: the classifier on the autoencoder's picture, and what freezing does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.dae import DAE
from fer_jax.models.hybrid import Hybrid
from fer_jax.models.vgg import VGG
from tests.tiny import fill_variables

pytestmark = pytest.mark.usefixtures("quick_compile")

DAE_PART, VGG_PART = DAE(filters=(2, 2)), VGG(blocks=((4, 1),), dense=(), dropout=0.0)
IMAGES = jax.random.uniform(jax.random.key(0), (4, 8, 8, 1))


def abstract_init(model, images):
    return jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)


@pytest.fixture(scope="module")
def variables():
    return fill_variables(abstract_init(Hybrid(DAE_PART, VGG_PART), IMAGES))


def test_parameters_are_the_sum_of_its_parts():
    faces = jax.ShapeDtypeStruct((2, 48, 48, 1), jnp.float32)
    params = abstract_init(Hybrid(DAE(), VGG()), faces)["params"]
    assert set(params) == {"dae", "vgg"}
    # The DAE's and the VGG's: test_dae.py and test_vgg.py have their sums.
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 12_465 + 33_644_103


def test_it_is_the_classifier_on_the_reconstruction(variables):
    params, statistics = variables["params"], variables["batch_stats"]

    @jax.jit
    def by_hand(images):
        recon_logits, denoised = DAE_PART.apply({"params": params["dae"]}, images, train=False)
        logits, out = VGG_PART.apply(
            {"params": params["vgg"], "batch_stats": statistics["vgg"]},
            denoised["recon"], train=False,
        )
        return logits, {**out, "recon": denoised["recon"], "recon_logits": recon_logits}

    model = Hybrid(DAE_PART, VGG_PART)
    found = jax.jit(lambda images: model.apply(variables, images, train=False))(IMAGES)
    expected = by_hand(IMAGES)
    assert found[1].keys() == expected[1].keys() == {"features", "recon", "recon_logits"}
    # The same operations, which XLA may fuse in another way.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected)


@pytest.mark.parametrize("frozen", [True, False])
def test_freezing_stops_both_ways_into_the_autoencoder(variables, frozen):
    model = Hybrid(DAE_PART, VGG_PART, freeze_dae=frozen)

    @jax.jit
    def gradient(params):
        def objective(params):
            (logits, out), _ = model.apply(
                {**variables, "params": params}, IMAGES, train=True, mutable=["batch_stats"]
            )
            return (logits**2).sum(), (out["recon_logits"] ** 2).sum()

        # Through the classifier, and through the reconstruction's own loss.
        return jax.jacrev(objective)(params)

    for gradients in gradient(variables["params"]):
        moved = [bool(jnp.any(leaf)) for leaf in jax.tree.leaves(gradients["dae"])]
        assert not any(moved) if frozen else any(moved)
