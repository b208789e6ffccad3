"""Made-up predictions: what models of a chosen skill would say of faces that nobody drew."""

import numpy as np

from fer_jax.predictions import Predictions

ABOUT = {
    "run": "told", "config_hash": "0" * 12, "seed": 0, "dataset": "fer2013",
    "protocol": "official", "views": "plain", "distortion": "clean", "strength": 0.0,
}


def predictions(
    probabilities=None, *, labels=None, n=20, k=7, skill=1.0, seed=0, split="validation",
    run="told", faces_seed=0,
) -> Predictions:
    """Make predictions from probabilities `[n, k]`, or draw them: logits noise, right ones raised.

    `skill` is what the label's logit is raised by; models of one `faces_seed` see the same faces.
    """
    generator = np.random.default_rng((faces_seed, n))
    if probabilities is not None:
        n, k = np.shape(probabilities)
    if labels is None:
        labels = generator.integers(0, k, n)
    if probabilities is None:
        logits = np.random.default_rng((seed, 1)).normal(size=(n, k))
        logits[np.arange(n), labels] += skill
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Predictions(
        np.asarray(probabilities, np.float32), np.asarray(labels, np.int32),
        np.arange(n, dtype=np.int64), np.arange(n, dtype=np.uint32) * 7,
        split=split, about=ABOUT | {"run": run, "seed": seed},
    )
