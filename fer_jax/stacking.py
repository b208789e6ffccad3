"""Stacking: a logistic regression that answers from several models' log-probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fer_jax.errors import UserError
from fer_jax.predictions import cross_entropy

# Inverse strengths of the L2 penalty; on standardised features the small ones are strong.
CANDIDATES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
FOLDS = 5
# A model's p below this says no more than "not that class", and its logarithm would rule the fit.
FLOOR = 1e-6


def fit_logistic(
    probabilities: np.ndarray, labels: np.ndarray, *, seed: int
) -> tuple[Callable[[np.ndarray], np.ndarray], dict[str, Any]]:
    """Fit on probabilities `[m, n, k]` and ids `[n]`; C has the least loss over five folds.

    Returns the rule, which makes `[m, n, k]` into `[n, k]`, and its settings. A class that `labels`
    does not have is never answered.

    Raises:
      UserError: too few faces, or faces of one class only.
    """
    if len(labels) < 2 * FOLDS or len(np.unique(labels)) < 2:
        raise UserError(
            f"stacking needs at least {2 * FOLDS} validation faces of two classes, and there are "
            f"{len(labels)} of {len(np.unique(labels))}"
        )
    classes = probabilities.shape[2]
    features = _features(probabilities)
    losses = [
        _held_out_loss(features, labels, c, classes=classes, seed=seed) for c in CANDIDATES
    ]
    chosen = CANDIDATES[int(np.argmin(losses))]
    model = _fit(features, labels, chosen)

    def combine(stacked: np.ndarray) -> np.ndarray:
        return _predict(model, _features(stacked), classes)

    settings = {
        "C": chosen, "grid": list(CANDIDATES), "folds": FOLDS, "held_out_losses": losses,
    }
    return combine, settings


def _features(probabilities: np.ndarray) -> np.ndarray:
    """Lay the members' log-probabilities of a face side by side: `[n, m*k]`."""
    logs = np.log(np.maximum(probabilities, FLOOR))
    return logs.transpose(1, 0, 2).reshape(logs.shape[1], -1)


def _held_out_loss(features, labels, c, *, classes, seed) -> float:
    """Return the mean cross-entropy of faces that the fold's fit did not see."""
    from sklearn.model_selection import KFold

    held = np.empty((len(labels), classes))
    for rest, fold in KFold(FOLDS, shuffle=True, random_state=seed).split(features):
        held[fold] = _predict(_fit(features[rest], labels[rest], c), features[fold], classes)
    return cross_entropy(held, labels)


def _fit(features: np.ndarray, labels: np.ndarray, c: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Standardised, so that one penalty suits every member and the solver converges soon.
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000)).fit(
        features, labels
    )


def _predict(model: Any, features: np.ndarray, classes: int) -> np.ndarray:
    found = np.zeros((len(features), classes))
    found[:, model.classes_] = model.predict_proba(features)
    return found
