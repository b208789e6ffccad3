"""Networks by name: what `config.model` says reaches the module, and wrong names are answered."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from ml_collections import ConfigDict

from fer_jax import models
from fer_jax.configuring import to_json
from fer_jax.errors import UserError
from tests.tiny import model_config


@pytest.mark.parametrize("name", ["vgg", "hybrid", "linear"])
def test_every_field_reaches_the_module(name):
    fields = {
        "name": name, "classes": 5, "width": 0.5, "blocks": ((4, 1),), "dense": (6,),
        "dropout": 0.1, "momentum": 0.8, "filters": (2, 3), "freeze_dae": True,
        "dtype": "bfloat16",
    }
    module = models.build(model_config(**fields))
    classifier = module.vgg if name == "hybrid" else module
    assert classifier.classes == 5
    if name == "linear":
        return
    assert (classifier.blocks, classifier.dense, classifier.width) == (((4, 1),), (6,), 0.5)
    assert (classifier.dropout, classifier.momentum) == (0.1, 0.8)
    assert classifier.dtype == jnp.bfloat16
    if name == "hybrid":
        assert (module.dae.filters, module.dae.dtype) == ((2, 3), jnp.bfloat16)
        assert module.freeze_dae


@pytest.mark.parametrize("name", models.MODULES)
def test_a_networks_own_fields_are_its_attributes_and_no_others(name):
    config = model_config(name=name, dtype="bfloat16", classes=5)
    module = models.build(config)
    attributes = {field.name for field in dataclasses.fields(module)} - {"parent", "name"}
    assert set(config) - {"name", "variant"} == attributes
    assert (module.classes, module.dtype) == (5, jnp.bfloat16)
    for field in attributes - {"dtype", "kernel_init"}:
        assert getattr(module, field) == config[field]


@pytest.mark.parametrize("name", models.BUILDERS)
def test_a_config_read_back_from_json_builds_an_equal_module(name):
    """JSON turns tuples into lists, which as a static argument of a jitted function would fail."""
    config = model_config(name=name)
    read_back = models.build(ConfigDict(to_json(config)))
    assert read_back == models.build(config)
    assert hash(read_back) == hash(models.build(config))


@pytest.mark.parametrize("name", models.BUILDERS)
def test_every_network_returns_logits_and_features(name):
    module = models.build(model_config(name=name))
    side = 63 if name == "alexnet" else 48  # its pools leave nothing of less
    images = jax.ShapeDtypeStruct((2, side, side, 1), jnp.float32)

    def forward(images):
        variables = module.init(jax.random.key(0), images, train=False)
        return module.apply(variables, images, train=False)

    logits, out = jax.eval_shape(forward, images)
    assert logits.shape == ((2, 48, 48, 1) if name == "dae" else (2, 7))
    assert "features" in out
    assert ("recon" in out) == (name in ("dae", "hybrid"))


def test_an_unknown_network_is_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"config.model.name is 'vggg'. Did you mean 'vgg'\?"):
        models.build(model_config(name="vggg"))


def test_an_unknown_dtype_is_answered_with_the_known():
    with pytest.raises(UserError, match="config.model.dtype is 'half'. .*float32, bfloat16"):
        models.build(model_config(dtype="half"))
