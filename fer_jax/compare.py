"""Compare two finished runs face by face: who is right more often, and where they disagree."""

from pathlib import Path
from typing import Any

import numpy as np

from fer_jax import calibration, writers
from fer_jax.arguments import Parser
from fer_jax.ensemble import distinct_names
from fer_jax.errors import UsageError, UserError, run_command
from fer_jax.flags import add_faces, read_faces
from fer_jax.paired import RESAMPLES, bootstrap_difference, contingency, mcnemar
from fer_jax.predictions import Predictions, check_same_faces, mostly_same

SCHEMA = 1
SHOWN = 36


def compare(a: Predictions, b: Predictions, *, seed: int = 0) -> dict[str, Any]:
    """Compare two models on the same faces.

    Returns counts of who is right, `accuracies` with Wilson intervals, `agreement` (the share of
    equal answers), `difference` (A - B, paired bootstrap) and `mcnemar`, as JSON values.

    Raises:
      UserError: the faces differ.
    """
    check_same_faces([a, b])
    counts = contingency(a.right, b.right)
    return {
        "n": len(a.labels),
        "counts": counts,
        "accuracies": [_with_interval(a), _with_interval(b)],
        "agreement": float((a.answers == b.answers).mean()),
        "difference": bootstrap_difference(a.right, b.right, seed=seed)._asdict(),
        "mcnemar": mcnemar(counts["only_a"], counts["only_b"]),
    }


def disagreements(a: Predictions, b: Predictions) -> np.ndarray:
    """List the faces with different answers, the most confident disagreement first.

    A disagreement is as confident as the less confident of the two: both are sure, and one is
    wrong. Ties keep the split's order.
    """
    differ = np.flatnonzero(a.answers != b.answers)
    sure = np.minimum(a.probabilities.max(1), b.probabilities.max(1))[differ]
    return differ[np.argsort(-sure, kind="stable")]


@run_command
def main(argv: list[str] | None = None) -> None:
    """Compare two finished classifiers on the same faces, A minus B."""
    parser = Parser("fer_jax.compare", main.__doc__)
    parser.add_argument("workdirs", type=Path, nargs=2, metavar="WORKDIR", help="A, then B")
    add_faces(parser)
    parser.add_argument("--out", type=Path, help="folder (default: runs/compare/A-B)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument(
        "--faces", type=int, default=SHOWN, help=f"in the picture grid (default: {SHOWN})"
    )
    arguments = parser.parse_args(argv)
    faces = read_faces(arguments, fitted=False)
    if arguments.faces < 1:
        raise UsageError(f"--faces={arguments.faces}: expected 1 or more")
    folders, data_dir = arguments.workdirs, arguments.data_dir
    if folders[0].resolve() == folders[1].resolve():
        raise UsageError(f"{folders[0]} is given twice; name two runs")
    from fer_jax import host, provenance, results
    from fer_jax.data import class_names
    from fer_jax.finished import read_predictions
    from fer_jax.report.calibration import reliability_table
    from fer_jax.report.comparison import comparison_table, counts_table, write_page
    from fer_jax.report.terminal import print_table

    host.prepare_process()
    names = distinct_names(folders)
    runs = [results.read_run(folder) for folder in folders]
    _check_same_data(runs, names)
    a, b = (
        said._replace(about=said.about | {"run": name})
        for name, said in zip(names, (
            read_predictions(folder, **faces, data_dir=data_dir) for folder in folders
        ), strict=True)
    )
    described = {
        "schema": SCHEMA,
        "dataset": a.about["dataset"],
        "protocol": a.about["protocol"],
        **faces,
        "classes": list(class_names(a.about["dataset"], protocol=a.about["protocol"])),
        "runs": [
            {"name": name, "workdir": str(folder), **_origin(run)}
            for name, folder, run in zip(names, folders, runs, strict=True)
        ],
        "seed": arguments.seed,
        "resamples": RESAMPLES,
        **provenance.describe(),
        **compare(a, b, seed=arguments.seed),
        "calibration": [
            _calibration(folder, said, data_dir) for folder, said in zip(folders, (a, b))
        ],
    }
    out = arguments.out or Path("runs/compare") / "-".join(n.replace("/", "_") for n in names)
    out.mkdir(parents=True, exist_ok=True)
    writers.write_json(out / "comparison.json", described)
    order = disagreements(a, b)
    images, note = _images(runs[0], a, b, order[: arguments.faces], data_dir)
    page = write_page(out, a, b, order, images=images, note=note, bins=_bins(described, a, b))
    calibrations = dict(zip(names, described["calibration"], strict=True))
    for table in (
        comparison_table(described), counts_table(described),
        reliability_table(calibrations, described),
    ):
        print_table(table)
        print()
    print(f"{len(order):,} of {len(a.labels):,} faces have different answers; some of them: {page}")


def _check_same_data(runs: list[dict[str, Any]], names: list[str]) -> None:
    """Refuse runs of different faces before any is asked."""
    for field in ("dataset", "protocol"):
        values = [run[field] for run in runs]
        if values[0] != values[1]:
            raise UserError(
                f"{names[0]} and {names[1]} cannot be compared: their {field}s are {values[0]} and "
                f"{values[1]}; choose two runs of the same faces"
            )


def _with_interval(said: Predictions) -> dict[str, float]:
    from fer_jax.metrics import wilson

    low, high = wilson(int(said.right.sum()), len(said.labels))
    return {"accuracy": said.accuracy, "accuracy_low": low, "accuracy_high": high}


def _calibration(folder: Path, said: Predictions, data_dir: str | None) -> dict[str, Any]:
    """Describe a model's calibration; on the faces that a temperature is fitted on, without it."""
    from fer_jax.finished import read_predictions

    validation = read_predictions(folder, split="validation", data_dir=data_dir)
    if not mostly_same(validation, said):
        return calibration.calibrate(validation, said)
    return {
        "temperature": None, "n": len(said.labels), "accuracy": said.accuracy,
        "before": calibration.summarise(said.probabilities, said.labels), "after": None,
    }


def _bins(described: dict[str, Any], a: Predictions, b: Predictions) -> list[dict[str, Any]]:
    """Sort each model's faces into bins of confidence, with its temperature too if it has one."""
    found = []
    for said, held in zip((a, b), described["calibration"], strict=True):
        bins = {"before": calibration.reliability(said.probabilities, said.labels)}
        if held["after"]:
            scaled = calibration.scale(said.probabilities, held["temperature"])
            bins["after"] = calibration.reliability(scaled, said.labels)
        found.append(bins)
    return found


def _images(
    run: dict[str, Any], a: Predictions, b: Predictions, places: np.ndarray, data_dir: str | None
) -> tuple[np.ndarray | None, str]:
    """Read the faces at `places` as both models saw them: u8 `[n, h, w, c]`, and what to know."""
    import jax.numpy as jnp
    from ml_collections import ConfigDict

    from fer_jax import results
    from fer_jax.evaluate import draw_keys
    from fer_jax.ops.distortion import distort_each

    try:
        split = results.load_data(ConfigDict(run["config"]), data_dir)[a.split]
    except UserError as error:
        return None, f"The faces are not here to be shown: {error}"
    if not np.array_equal(split.keys, a.keys):
        return None, "The prepared faces are others than those that the runs were evaluated on."
    images, name = split.images[places], a.about["distortion"]
    if name == "clean" or not len(places):
        return images, ""
    if a.about["seed"] != b.about["seed"]:
        return images, "Shown clean: the runs' seeds differ, so each saw noise of its own."
    unit = jnp.asarray(images, jnp.float32) / 255
    keys = draw_keys(a.about["seed"], split.keys[places])
    seen = distort_each(keys, unit, a.about["strength"], name=name)
    return np.round(np.asarray(seen) * 255).astype(np.uint8), ""


def _origin(held: dict[str, Any]) -> dict[str, Any]:
    names = ("model", "variant", "config_hash", "seed", "commit", "weights", "weights_step")
    return {name: held[name] for name in names}


if __name__ == "__main__":
    raise SystemExit(main())
