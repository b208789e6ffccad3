"""Every number of a classifier from one confusion matrix over all examples."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from fer_jax.losses import cross_entropy


@struct.dataclass
class Confusion:
    """Counts, loss and size of a set of examples; two of them merge by `+`.

    Attributes:
      counts: `[k, k]` int32, true class by predicted class; zeros where nothing is classified.
      loss: sum of the examples' losses, float32.
      n: number of examples, int32.
    """

    counts: jax.Array
    loss: jax.Array
    n: jax.Array

    def __add__(self, other: "Confusion") -> "Confusion":
        return jax.tree.map(jnp.add, self, other)


def empty(classes: int) -> Confusion:
    """Return the confusion of no example."""
    return Confusion(
        jnp.zeros((classes, classes), jnp.int32), jnp.zeros(()), jnp.zeros((), jnp.int32)
    )


def of_logits(logits: jax.Array, labels: jax.Array, mask: jax.Array) -> Confusion:
    """Count predictions `[b, k]` against ids `[b]` where `mask` `[b]` is true."""
    classes = logits.shape[-1]
    weight = mask.astype(jnp.int32)
    counts = jnp.zeros((classes, classes), jnp.int32)
    counts = counts.at[labels, logits.argmax(-1)].add(weight)
    return Confusion(counts, jnp.sum(cross_entropy(logits, labels), where=mask), weight.sum())


def of_losses(losses: jax.Array, mask: jax.Array, *, classes: int) -> Confusion:
    """Sum losses `[b]` of examples that are not classified, where `mask` `[b]` is true."""
    return empty(classes).replace(
        loss=jnp.sum(losses, where=mask), n=mask.sum(dtype=jnp.int32)
    )


def summarise(confusion: Confusion) -> dict[str, Any]:
    """Compute the strict-JSON metrics of a confusion: undefined ones are None.

    Accuracy carries its Wilson 95 % interval. Precision of a class never predicted and recall of a
    class that is absent are undefined; like scikit-learn's default, the macro and weighted means
    count an undefined precision or F1 as 0, over the classes that are present or predicted.
    """
    counts = np.asarray(confusion.counts, np.int64)
    n = int(confusion.n)
    total = counts.sum()
    if n == 0 or total == 0:
        undefined = dict.fromkeys(
            ("accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy", "macro_f1",
             "weighted_f1", "per_class", "confusion")
        )
        return {"n": n, "loss": finite(confusion.loss / n) if n else None, **undefined}
    hits, support, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    precision = [_ratio(hit, p) for hit, p in zip(hits, predicted)]
    recall = [_ratio(hit, s) for hit, s in zip(hits, support)]
    f1 = [_ratio(2 * hit, p + s) for hit, p, s in zip(hits, predicted, support)]
    low, high = wilson(int(hits.sum()), int(total))
    return {
        "n": n,
        "loss": finite(np.asarray(confusion.loss, np.float64) / n),
        "accuracy": float(hits.sum() / total),
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": _mean(recall),
        "macro_f1": _mean(f1),
        "weighted_f1": float(sum((f or 0.0) * s for f, s in zip(f1, support)) / total),
        "per_class": {"precision": precision, "recall": recall, "f1": f1},
        "confusion": counts.tolist(),
    }


def wilson(correct: int, n: int, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """Compute Wilson's score interval of a proportion (Wilson 1927); `z` defaults to 95 %.

    Raises:
      ValueError: n is not positive or correct lies outside 0..n.
    """
    if n <= 0 or not 0 <= correct <= n:
        raise ValueError(f"got {correct} correct of {n}; expected 0 <= correct <= n and n > 0")
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and n the interval touches the end exactly; rounding would leave it an ulp outside.
    low = centre - half if correct else 0.0
    high = centre + half if correct < n else 1.0
    return low, high


def prior_entropy(labels: np.ndarray, *, classes: int) -> float:
    """Compute the loss in nats of a model that only knows how frequent each class is."""
    share = np.bincount(labels, minlength=classes) / len(labels)
    return float(-sum(p * math.log(p) for p in share if p > 0))


def finite(value: Any) -> float | None:
    """Return a float that strict JSON can hold: None for NaN and infinities."""
    value = float(value)
    return value if math.isfinite(value) else None


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
