"""Notice a run that has broken: NaN, one predicted class, the prior's loss, a constant picture."""

from typing import Any

import numpy as np

from fer_jax import metrics, processes
from fer_jax.data.ferplus import CLASSES
from fer_jax.evaluate import Padded, evaluate, reconstruct
from fer_jax.evaluation_alarms import PRIOR_MARGIN, PRIOR_TOLERANCE
from fer_jax.preprocess import Preprocess, read_preprocess

# The mean, over pixels, of the standard deviation over faces: FER2013's own is about 0.22.
LEAST_SPREAD = 1e-3


def find_alarms(
    trained: dict[str, Any], validation: dict[str, Any], facts: dict[str, float | None]
) -> list[str]:
    """Name what is broken in an epoch, from its summaries and `Watch.validate`'s facts."""
    if trained["loss"] is None or validation["loss"] is None:
        return ["nan: the loss is not a finite number"]
    alarms = []
    if validation["confusion"] is not None:
        predicted = np.flatnonzero(np.sum(validation["confusion"], axis=0))
        if len(predicted) == 1:
            alarms.append(f"collapse: every validation face is called {CLASSES[predicted[0]]}")
        prior, loss = facts["prior_entropy"], validation["loss"]
        # A network on its way down passes the prior's entropy too, but already tells faces apart.
        blind = validation["accuracy"] < facts["majority"] + PRIOR_MARGIN
        if blind and abs(loss - prior) < PRIOR_TOLERANCE * prior:
            alarms.append(
                f"collapse: the validation loss is the entropy of the class prior, {prior:.4f}"
            )
    spread = facts["recon_spread"]
    if spread is not None and not spread >= LEAST_SPREAD:
        alarms.append("collapse: the reconstruction is the same picture for every face")
    return alarms


def condense(rows: list[dict[str, Any]]) -> list[str]:
    """Merge the alarms of a run's epochs into one line each, with the epochs they stood in."""
    epochs: dict[str, list[int]] = {}
    for row in rows:
        for alarm in row["alarms"]:
            epochs.setdefault(alarm, []).append(row["epoch"])
    return [f"{alarm} ({_in_epochs(numbers)})" for alarm, numbers in epochs.items()]


class Watch:
    """Validate a run after each epoch on faces like those it trains on.

    Distorted ones for a DAE, clean ones for a classifier trained on clean faces, and both, counted
    together, for one that trains on both.
    """

    def __init__(self, run: Any, padded: Padded):
        self.model, self.padded, self.config = run.model, padded, run.config
        self.preprocess = read_preprocess(run.config)
        labels = run.splits["validation"].labels
        self.prior_entropy = metrics.prior_entropy(labels, classes=run.config.model.classes)
        self.majority = float(np.bincount(labels).max() / len(labels))

    def validate(self, variables: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the summary of the validation split and the facts `find_alarms` needs."""
        config, denoises = self.config, self.config.task == "denoise"
        share = config.train_distortion
        clean = [("clean", 0.0)] if share < 1 else []
        noisy = [(config.distortion.name, config.distortion.strength)] if share > 0 else []
        total = None
        for name, strength in clean + noisy:
            confusion, _ = evaluate(
                variables, self.padded, model=self.model, preprocess=self.preprocess,
                distortion=name, strength=strength,
                seed=config.seed, denoises=denoises, classes=config.model.classes,
            )
            total = confusion if total is None else total + confusion
        spread = recon_spread(
            variables, self.padded, model=self.model, preprocess=self.preprocess
        ) if denoises else None
        facts = {
            "prior_entropy": self.prior_entropy, "majority": self.majority, "recon_spread": spread
        }
        return metrics.summarise(total), facts


def recon_spread(
    variables: dict[str, Any],
    padded: Padded,
    *,
    model: Any,
    preprocess: Preprocess = Preprocess(),
) -> float:
    """Measure how much reconstructions differ between the faces of a split's first batch.

    The mean over pixels of the standard deviation over faces, in units of 0..1.
    """
    images = padded.batch.images[0]
    recon = reconstruct(variables, images, model=model, preprocess=preprocess)
    recon, mask = processes.fetch(recon), processes.fetch(padded.mask[0])
    return float(np.std(recon[mask], axis=0).mean())


def _in_epochs(numbers: list[int]) -> str:
    first, last = numbers[0], numbers[-1]
    if len(numbers) == 1:
        return f"epoch {first}"
    whole = len(numbers) == last - first + 1
    return f"epochs {first}-{last}" if whole else f"{len(numbers)} epochs in {first}-{last}"
