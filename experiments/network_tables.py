"""The README's tables of the other papers' networks, from the results of two studies."""

from collections.abc import Sequence

from fer_jax.report.results import Run, Study
from fer_jax.report.seeds import over_seeds
from fer_jax.report.tables import Table
from fer_jax.report.wording import MISSING, count, interval, percent

# What a network is called, and whose it is.
TITLES = {
    "resnet9": "ResNet9 (Dick)",
    "alizadeh_shallow": "shallow (Alizadeh, Bokanyi)",
    "alizadeh_deep": "deep (Alizadeh, Bokanyi)",
    "agrawal_fcn": "fully convolutional (Agrawal, Bokanyi)",
    "se_separable": "SE-separable (Gao)",
}
POOLS = {"max": "max-pooling", "projection": "LIP, 1x1 logits"}


def networks_table(study: Study) -> Table:
    """Compare networks on PrivateTest: all of it, without copies, and under the chosen noise."""
    rows = []
    for run in study.finished:
        plain, copies = run.evaluation(split="private") or {}, run.evaluation() or {}
        noisy = study.distorted(run, split="private") or {}
        rows.append((
            TITLES.get(run.kind, run.label), _size(run), count(run.result["epochs"]),
            _cell(plain), _cell(copies), percent(noisy.get("accuracy"), 1),
        ))
    faces = {run.evaluation()["n"] for run in study.finished}
    return Table(
        title="The other papers' networks on FER2013, reduced: accuracy",
        columns=("network", "parameters (width)", "epochs", "PrivateTest", "without copies",
                 "noise, p = 0.2"),
        rows=rows,
        notes=(
            "Trained on Training, the epoch chosen on PublicTest, one seed, clean faces only. "
            f"Without copies: the {'/'.join(count(n) for n in sorted(faces))} PrivateTest faces "
            "that do not stand in Training too. In brackets the Wilson 95 % interval.",
        ),
    )


def pooling_table(study: Study) -> Table:
    """Compare the pools of one network over seeds, and their difference paired by seed."""
    by_pool: dict[str, dict[int, float]] = {}
    for run in study.finished:
        pool = run.result["config"]["model"]["pool"]
        accuracy = run.evaluation(split="private")["accuracy"]
        by_pool.setdefault(pool, {})[run.result["seed"]] = accuracy
    rows = [
        (POOLS.get(pool, pool), *_over_seeds(list(held.values())))
        for pool, held in by_pool.items()
    ]
    plain, lip = (by_pool.get(pool, {}) for pool in POOLS)
    differences = [lip[seed] - plain[seed] for seed in plain if seed in lip]
    rows.append(("LIP less max, paired by seed", *_over_seeds(differences)))
    some = study.finished[0].result
    return Table(
        title="Local importance pooling against max-pooling in VGG16 on PrivateTest, reduced",
        columns=("pooling", "mean accuracy", "sd", "95 % interval", "seeds"),
        rows=rows,
        notes=(
            f"Width {some['config']['model']['width']:g}, {some['epochs']} epochs; the interval is "
            "Student's t over the seeds. Dong reports 1.47 points more on RAF-DB, one seed, with "
            "attention besides.",
        ),
    )


# What a run of the FER2013-C table is called; others go by their own names.
SUITE_TITLES = {
    "vgg-0": "plain VGG", "A-0": "frozen DAE in front (A)", "vgg_noisy-0": "noise augmentation",
    "A_noisy-0": "DAE in front and noise augmentation", "resnet9": "ResNet9",
    "shipped": "ResNet9 with noise augmentation, shipped",
}
FILTERS = {"median:3": "median filter 3x3 in front", "nlm:0.1": "non-local means in front"}


def suite_table(runs: Sequence[Run]) -> Table | None:
    """Compare suites of FER2013-C, a row for each network and filter; None without any."""
    found = [(run, suite) for run in runs for suite in run.result.get("suites", [])]
    if not found:
        return None
    rows = []
    for run, suite in found:
        name, filtered = run.result["run"], suite["filter"]
        errors = suite["errors"] or {}
        rows.append((
            ", ".join(filter(None, (
                SUITE_TITLES.get(name, name), FILTERS.get(filtered, filtered)
            ))),
            percent(suite["clean"], 1), percent(suite["mean_accuracy"], 1),
            percent(suite["mean_accuracy_untrained"], 1),
            *(percent(errors.get(kind), 1) for kind in ("mce", "relative_mce")),
            *(percent(group["mean_accuracy"], 1) for group in suite["groups"].values()),
        ))
    one = found[0][1]
    return Table(
        title="FER2013-C, reduced: accuracy under 15 corruptions at 5 severities",
        columns=("network", "clean", "mean", "mean, not trained on", "mCE", "relative mCE",
                 *one["groups"]),
        rows=rows,
        notes=(
            f"{count(one['n'])} of PrivateTest's {count(one['of'])} faces, evenly spread; random "
            f"corruptions drawn {one['draws']} times; one seed. mCE: errors in % of the plain "
            "VGG's, lower is better; relative mCE: of what they add to the clean faces' errors.",
        ),
    )


def _over_seeds(values: list[float]) -> tuple[str, str, str, str]:
    if len(values) < 2:
        return (*(percent(v) for v in values), MISSING, MISSING, str(len(values)))
    mean, sd, low, high, n = over_seeds(values)
    span = f"{100 * low:.1f} to {100 * high:.1f}".replace("-", "−")
    return percent(mean).replace("-", "−"), f"{100 * sd:.2f}", span, str(n)


def _size(run: Run) -> str:
    width = run.result["config"]["model"].get("width", 1.0)
    return f"{count(run.result['parameters']['trainable'])} ({width:g})"


def _cell(evaluation: dict) -> str:
    if evaluation.get("accuracy") is None:
        return MISSING
    return f"{percent(evaluation['accuracy'], 1)} ({interval(evaluation)})"
