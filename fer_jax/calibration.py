"""Calibration: does a model that says 70 % get 70 % right? Temperature scaling mends it."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy

from fer_jax import writers
from fer_jax.arguments import Parser
from fer_jax.errors import run_command
from fer_jax.flags import add_faces, read_faces
from fer_jax.predictions import (
    LEAST, Predictions, check_apart, check_same_faces, check_validation, cross_entropy,
)

BINS = 15
TEMPERATURES = (0.05, 20.0)


class Reliability(NamedTuple):
    """Faces sorted into bins by confidence; an empty bin has NaN means."""

    edges: np.ndarray  # [bins + 1]
    counts: np.ndarray  # [bins]
    confidence: np.ndarray  # [bins]: mean probability of the answers
    accuracy: np.ndarray  # [bins]: share of right answers


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS, equal_mass: bool = False
) -> Reliability:
    """Sort faces by the probability of their answer into bins over 0..1.

    The bins are equally wide, (i/bins, (i+1)/bins], or with `equal_mass` hold equally many faces,
    up to one.

    Args:
      probabilities: `[n, k]`, each row adding up to 1.
      labels: ids `[n]`.
    """
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    if equal_mass:
        place = np.empty(len(labels), int)
        place[np.argsort(confidence, kind="stable")] = np.arange(len(labels)) * bins // len(labels)
        inner = [confidence[place >= i].min(initial=1.0) for i in range(1, bins)]
        edges = np.array([0.0, *inner, 1.0])
    else:
        edges = np.linspace(0, 1, bins + 1)
        place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    means = [
        np.divide(
            np.bincount(place, values, minlength=bins), counts,
            out=np.full(bins, np.nan), where=counts > 0,
        )
        for values in (confidence, right)
    ]
    return Reliability(edges, counts, *means)


def expected_calibration_error(found: Reliability) -> float:
    """Average the bins' |accuracy - confidence|, weighted by their faces (Guo et al. 2017, eq. 3).

    The value, 0..1, depends on the bins; it is 0 for a perfectly calibrated model only without
    sampling noise, and rises with fewer faces a bin.
    """
    gaps = np.abs(np.nan_to_num(found.accuracy - found.confidence))
    return float((gaps * found.counts).sum() / found.counts.sum())


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits behind probabilities `[n, k]` by a temperature; no answer changes.

    Logarithms of probabilities are logits up to a constant a face, which softmax takes out.
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), LEAST))
    return np.exp(scipy.special.log_softmax(logs / temperature, axis=1))


def fit_temperature(validation: Predictions) -> float:
    """Find the temperature with the least cross-entropy on validation faces (Guo et al. 2017).

    The cross-entropy is convex in 1/T, so one bounded search over log T, 0.05 to 20, finds it. A
    model with every validation face right has no minimum and gets the lower bound.

    Raises:
      UserError: the faces are not validation faces.
    """
    check_validation(validation.split, "a temperature")
    found = scipy.optimize.minimize_scalar(
        lambda log_t: cross_entropy(
            scale(validation.probabilities, np.exp(log_t)), validation.labels
        ),
        bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def summarise(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Compute loss, Brier score, mean confidence and both calibration errors.

    `ece` has 15 equally wide bins, `ece_equal_mass` 15 with equally many faces. `brier` is the
    squared error summed over the classes, 0..2.
    """
    hits = np.eye(probabilities.shape[1])[labels]
    wide, even = (reliability(probabilities, labels, equal_mass=mass) for mass in (False, True))
    return {
        "loss": cross_entropy(probabilities, labels),
        "brier": float(((probabilities - hits) ** 2).sum(1).mean()),
        "confidence": float(probabilities.max(1).mean()),
        "ece": expected_calibration_error(wide),
        "ece_equal_mass": expected_calibration_error(even),
    }


def calibrate(validation: Predictions, tested: Predictions) -> dict[str, Any]:
    """Describe a model's calibration on `tested` before and after temperature scaling.

    Raises:
      UserError: the temperature would not be fitted on validation faces, or the model gives NaN.
    """
    for said in (validation, tested):
        check_same_faces([said])
    check_apart(validation, tested)
    temperature = fit_temperature(validation)
    after = scale(tested.probabilities, temperature)
    return {
        "temperature": temperature,
        "n": len(tested.labels),
        "accuracy": tested.accuracy,
        "before": summarise(tested.probabilities, tested.labels),
        "after": summarise(after, tested.labels),
    }


@run_command
def main(argv: list[str] | None = None) -> None:
    """Measure a classifier's calibration, before and after a temperature from validation."""
    parser = Parser("fer_jax.calibration", main.__doc__)
    parser.add_argument("workdir", type=Path, help="of a finished classifier")
    add_faces(parser)
    parser.add_argument("--out", type=Path, help="folder (default: WORKDIR/calibration)")
    arguments = parser.parse_args(argv)
    faces = read_faces(arguments)
    # Here and not above: this imports what trains.
    from fer_jax import host, provenance
    from fer_jax.finished import read_predictions
    from fer_jax.report.calibration import draw_reliability, reliability_table
    from fer_jax.report.plots import save_png
    from fer_jax.report.terminal import print_table

    host.prepare_process()
    data_dir = arguments.data_dir
    validation = read_predictions(arguments.workdir, split="validation", data_dir=data_dir)
    tested = read_predictions(arguments.workdir, **faces, data_dir=data_dir)
    found = calibrate(validation, tested)
    out = arguments.out or arguments.workdir / "calibration"
    out.mkdir(parents=True, exist_ok=True)
    about = {"split": tested.split, **tested.about}
    writers.write_json(
        out / "calibration.json", {"of": about, **found, **provenance.describe()}
    )
    bins = {
        "before": reliability(tested.probabilities, tested.labels),
        "after": reliability(scale(tested.probabilities, found["temperature"]), tested.labels),
    }
    save_png(draw_reliability(bins, found, about), out / "reliability.png")
    print_table(reliability_table({about["run"]: found}, about))
    print(f"wrote {out / 'reliability.png'} and {out / 'calibration.json'}")


if __name__ == "__main__":
    raise SystemExit(main())
