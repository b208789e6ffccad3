"""Ensembles of finished runs: every rule in one table, against the best single model."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_jax import calibration, writers
from fer_jax.arguments import Parser
from fer_jax.ensemble_rules import (
    MEANINGS, RULES, Members, best_single, cross_validate, fit_rule, stack, weighted_mean,
)
from fer_jax.errors import UsageError, UserError, run_command
from fer_jax.flags import add_faces, read_faces
from fer_jax.paired import RESAMPLES, bootstrap_difference, disagreement, mcnemar
from fer_jax.predictions import Predictions, check_apart, cross_entropy

SCHEMA = 1
# Above so many ensembles of one size, that many are drawn instead.
MOST_SUBSETS = 200


def measure(
    validation: Sequence[Predictions], tested: Sequence[Predictions], *, seed: int = 0
) -> dict[str, Any]:
    """Fit every rule on validation faces and measure it on others, beside the best single model.

    Args:
      validation: a model each, the faces that weights, q, C and the best single are chosen on.
      tested: the same models in the same order on the faces that measure.
      seed: decides bootstrap, cross-validation folds, bags and drawn subsets.

    Returns what `ensemble.json` holds of `rules`, `sizes` and `disagreement`, as JSON values. A
    rule's `validation_accuracy` is cross-validated, so that rules can be chosen by it.

    Raises:
      UserError: the faces of the models differ, the weights would not come from validation, or
        what is measured is validation too.
    """
    fitting, measured = stack(validation), stack(tested)
    check_apart(validation[0], tested[0])
    best = best_single(fitting)
    right_best = tested[best].right
    rules = []
    for name in RULES:
        fitted = fit_rule(name, fitting, seed=seed)
        rules.append({
            "rule": name,
            "meaning": MEANINGS[name],
            "settings": fitted.settings,
            "validation_accuracy": cross_validate(name, fitting, seed=seed),
            **_against(fitted.combine(measured.probabilities), measured.labels, right_best, seed),
        })
    return {
        "n": len(measured.labels),
        "n_validation": len(fitting.labels),
        "best_single": best,
        "singles": [
            {
                "validation_accuracy": float(accuracy),
                **_against(p, measured.labels, right_best, seed),
            }
            for accuracy, p in zip(fitting.accuracies, measured.probabilities, strict=True)
        ],
        "rules": rules,
        "sizes": size_curve(fitting, measured, seed=seed),
        "disagreement": disagreement(measured.probabilities.argmax(2)).tolist(),
    }


def size_curve(validation: Members, tested: Members, *, seed: int = 0) -> list[dict[str, Any]]:
    """Measure simple means of every size: all ensembles of a size, or 200 that are drawn.

    `mean`, `low` and `high` are over those ensembles; `best_first` is the accuracy of the one of
    the members with the best validation accuracies. Nothing is chosen on the tested faces.
    """
    m = len(tested.probabilities)
    order = np.lexsort((validation.losses, -validation.accuracies))
    generator = np.random.default_rng(seed)
    found = []
    for size in range(1, m + 1):
        if math.comb(m, size) <= MOST_SUBSETS:
            subsets = list(itertools.combinations(range(m), size))
        else:
            subsets = [generator.permutation(m)[:size] for _ in range(MOST_SUBSETS)]
        reached = [_mean_accuracy(tested, subset) for subset in subsets]
        found.append({
            "size": size, "ensembles": len(subsets), "all": math.comb(m, size) <= MOST_SUBSETS,
            "mean": float(np.mean(reached)), "low": min(reached), "high": max(reached),
            "best_first": _mean_accuracy(tested, order[:size]),
        })
    return found


def find_members(workdirs: Sequence[Path]) -> dict[str, Path]:
    """Name the runs that are members; a study's workdir stands for its classifiers.

    Raises:
      UserError: a workdir is not finished, or there are fewer than two runs.
      UsageError: a run is given twice.
    """
    # Here and not above: this imports what trains, and the functions above need none of it.
    from fer_jax import results

    runs = []
    for workdir in workdirs:
        held = results.read(workdir)
        if isinstance(held, list):
            runs += [
                Path(workdir) / item["run"] for item in held
                if any(entry["confusion"] for entry in item["evaluations"])
            ]
        else:
            results.read_run(workdir)
            runs.append(Path(workdir))
    if len({run.resolve() for run in runs}) < len(runs):
        raise UsageError("a run is given twice; it would count double, so name each once")
    if len(runs) < 2:
        raise UserError(f"an ensemble needs at least two classifiers, not {len(runs)}")
    return dict(zip(distinct_names(runs), runs, strict=True))


def distinct_names(runs: Sequence[Path]) -> list[str]:
    """Name runs by their folders, with as many of the folders above as tell them apart."""
    parts = [run.resolve().parts for run in runs]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


@run_command
def main(argv: list[str] | None = None) -> None:
    """Combine finished classifiers by every rule; weights come from validation faces only."""
    parser = Parser("fer_jax.ensemble", main.__doc__)
    parser.add_argument(
        "workdirs", type=Path, nargs="+", metavar="WORKDIR",
        help="of finished runs; a study's stands for all its classifiers",
    )
    add_faces(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/ensemble"), help="folder (default: runs/ensemble)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of bootstrap, folds and bags")
    arguments = parser.parse_args(argv)
    faces = read_faces(arguments)
    from fer_jax import host, provenance, results
    from fer_jax.data import class_names
    from fer_jax.finished import read_predictions
    from fer_jax.report.ensemble import rules_table, write_page
    from fer_jax.report.terminal import print_table

    host.prepare_process()
    runs = find_members(arguments.workdirs)
    data_dir = arguments.data_dir
    validation = [
        read_predictions(run, split="validation", data_dir=data_dir) for run in runs.values()
    ]
    tested = [read_predictions(run, **faces, data_dir=data_dir) for run in runs.values()]
    measured = measure(validation, tested, seed=arguments.seed)
    about = tested[0].about
    described = {
        "schema": SCHEMA,
        "dataset": about["dataset"],
        "protocol": about["protocol"],
        **faces,
        "classes": list(class_names(about["dataset"], protocol=about["protocol"])),
        "members": [
            {"name": name, "workdir": str(run), **_origin(results.read_run(run))}
            for name, run in runs.items()
        ],
        "seed": arguments.seed,
        "resamples": RESAMPLES,
        **provenance.describe(),
        **measured,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    writers.write_json(arguments.out / "ensemble.json", described)
    page = write_page(arguments.out)
    print_table(rules_table(described))
    print(f"wrote {arguments.out / 'ensemble.json'} and {page}")


def _origin(held: dict[str, Any]) -> dict[str, Any]:
    names = ("model", "variant", "config_hash", "seed", "commit", "weights", "weights_step")
    return {name: held[name] for name in names}


def _against(
    probabilities: np.ndarray, labels: np.ndarray, right_best: np.ndarray, seed: int
) -> dict[str, Any]:
    """Measure answers, and their difference from the best single model's on the same faces."""
    from fer_jax.metrics import wilson

    right = probabilities.argmax(1) == labels
    low, high = wilson(int(right.sum()), len(right))
    ahead, behind = int((right & ~right_best).sum()), int((right_best & ~right).sum())
    counts = np.zeros((probabilities.shape[1],) * 2, int)
    np.add.at(counts, (labels, probabilities.argmax(1)), 1)
    ece = calibration.expected_calibration_error(calibration.reliability(probabilities, labels))
    return {
        "accuracy": float(right.mean()), "accuracy_low": low, "accuracy_high": high,
        "loss": cross_entropy(probabilities, labels), "ece": ece,
        "difference": bootstrap_difference(right, right_best, seed=seed)._asdict(),
        "mcnemar": mcnemar(ahead, behind),
        "confusion": counts.tolist(),
    }


def _accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float((probabilities.argmax(1) == labels).mean())


def _mean_accuracy(members: Members, places: Sequence[int]) -> float:
    chosen = members.probabilities[np.asarray(places)]
    return _accuracy(weighted_mean(chosen, np.ones(len(chosen))), members.labels)


if __name__ == "__main__":
    raise SystemExit(main())
