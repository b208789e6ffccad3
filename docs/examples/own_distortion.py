"""A distortion of your own, and a study of DAE, VGG and hybrids that is measured under it.

Command:  python -m fer_jax.main --config=docs/examples/own_distortion.py --workdir=runs/stripes
"""

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from configs import quickstart
from fer_jax.ops import distortion


def stripes(key: jax.Array, images: jax.Array, *, p) -> jax.Array:
    """Black out each row of images `[b, h, w, c]` in 0..1 with probability `p`, 0..1 or `[b]`."""
    rows = (*images.shape[:2], 1, 1)
    black = jax.random.uniform(key, rows) < distortion.per_image(p, images)
    return jnp.where(black, jnp.zeros_like(images), images)


distortion.DISTORTIONS["stripes"] = lambda key, images, strength: stripes(key, images, p=strength)
distortion.STRONGEST["stripes"] = 1.0


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the quickstart's study with stripes in the place of random grey pixels."""
    study = quickstart.get_config()
    for name in study.runs:
        study.runs[name].distortion = {"name": "stripes", "strength": 0.3}
        study.runs[name].evaluation.strengths = (0.1, 0.3)
    return study
