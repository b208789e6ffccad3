"""Write README.md's and docs/results.md's tables from results/: `python -m experiments.readme`."""

from experiments.commands import readme as main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

import json
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments import headline
from experiments.headline import RESULTS, STUDY
from experiments.network_tables import networks_table, pooling_table, suite_table
from experiments.seed_tables import overview
from fer_jax import files, predictions, writers
from fer_jax.configuring import REPOSITORY
from fer_jax.errors import UserError
from fer_jax.report import plots
from fer_jax.report.ensemble import members_table, rules_table
from fer_jax.report.results import Run, Study, read_study
from fer_jax.report.tables import Table, li_tables, markdown, ours_only, reconstruction
from fer_jax.report.wording import commands, distortion_text, number, percent
from fer_jax.writers import METRICS

README, DETAILS = Path("README.md"), Path("docs/results.md")
RATES = RESULTS / "learning_rates-small"
PRINTED = RESULTS / "as_printed"
NETWORKS = RESULTS / "networks-small"
POOLING = RESULTS / "lip_pooling-small"
ABLATION = RESULTS / "hybrid_ablation-cpu"
SUITES = (RESULTS / "fer2013c", RESULTS / "resnet9", headline.SHIPPED)  # what FER2013-C measured
ENSEMBLES = RESULTS / "bokanyi2021-cpu"
PICTURE = Path("docs/robustness.png")
PAPER_EPOCHS = 150
WITH_PLACES = ("command", "init_dir")  # of results: what names folders of the machine
# What a classifier said of each face, kept where it is small: weights of ensembles are fitted on
# validation faces, and PrivateTest holds those without copies too.
ANSWERS, MOST_BYTES = ("validation.npz", "private.npz"), 200_000


def headline_block(sources: headline.Sources) -> str:
    """Return the Markdown at the README's top: one picture, one table, and at which scale."""
    gathered = headline.gather(sources)
    parts = [
        headline.sentence(sources),
        f"![PrivateTest accuracy against noise strength]({PICTURE})",
        markdown(headline.table(gathered)),
        scale_line(sources.study),
        shipped_line(sources.shipped),
    ]
    return "\n\n".join(part.strip() for part in parts if part)


def shipped_line(run: Run | None) -> str:
    """Say how the shipped network was trained; "" without one."""
    if run is None:
        return ""
    held = run.result
    return (
        f"The shipped network: {held['epochs']} epochs, seed {held['seed']}, {held['device']}: "
        f"`{held['command']}`."
    )


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


def ensembles_block(folder: Path) -> str:
    """Return the Markdown of a study's ensembles by every rule and its members; "" without any."""
    paths = sorted(folder.glob("ensemble*/ensemble.json"))
    if not paths:
        return ""
    held = [json.loads(path.read_text()) for path in paths]
    parts = [
        markdown(members_table(held[0])),
        *(markdown(rules_table(one)) for one in held),
        f"**Scale: reduced.** Narrower networks and few epochs, each as {folder.name} lists them. "
        f"{held[0]['device']}. Made by:",
        f"```bash\n{held[0]['command']}\n```",
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


def suite_block(studies: Sequence[Study]) -> str:
    """Return the Markdown of all suites of FER2013-C and their commands; "" without any."""
    runs = [run for study in studies for run in study.finished]
    table = suite_table(runs)
    if table is None:
        return ""
    made_by = [
        suite["added"]["command"] for run in runs for suite in run.result.get("suites", [])
    ]
    return f"{markdown(table).strip()}\n\nMade by:\n\n" + "\n".join(["```bash", *made_by, "```"])


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
        raise UserError(f"the page has no {begin} ... {end}; put the two lines back")
    head, rest = text.split(begin, 1)
    return f"{head}{begin}\n{block}\n{end}{rest.split(end, 1)[1]}"


def collect(workdir: Path, folder: Path) -> None:
    """Copy the small files of a run, or of a study's finished runs and ensembles, into results/."""
    for path in sorted({*workdir.rglob("results.json"), *workdir.glob("ensemble*/ensemble.json")}):
        held = json.loads(path.read_text())
        if not isinstance(held, dict):  # a study's list of what stands in its runs' folders
            continue
        target = folder / path.parent.relative_to(workdir)
        target.mkdir(parents=True, exist_ok=True)
        if "members" in held:
            members = [m | {"workdir": Path(m["workdir"]).name} for m in held["members"]]
            held |= {"members": members}
        writers.write_json(target / path.name, _without_places(held, workdir.resolve().parent))
        if (path.parent / METRICS).exists():
            files.write_text(target / METRICS, (path.parent / METRICS).read_text())
        for answers in (path.parent / predictions.FOLDER / name for name in ANSWERS):
            if answers.exists() and answers.stat().st_size <= MOST_BYTES:
                copied = target / predictions.FOLDER / answers.name
                copied.parent.mkdir(exist_ok=True)
                shutil.copyfile(answers, copied)


def _without_places(held: Any, root: Path) -> Any:
    """Make every command in results, and where a run starts from, what can be typed elsewhere."""
    if isinstance(held, list):
        return [_without_places(item, root) for item in held]
    if not isinstance(held, dict):
        return held
    return {
        name: portable(value, root) if name in WITH_PLACES else _without_places(value, root)
        for name, value in held.items()
    }


def portable(command: str, root: Path = Path("/dev/null")) -> str:
    """Leave out of a command where on that machine its data, its workdir and its results lay.

    Workdirs in the folder `root` become those of a repository's runs/.
    """
    places = ("--data_dir=", "--workdir=/", "--out=/")
    parts = (
        re.sub(f"(^|=){re.escape(str(root))}(?=/|$)", r"\1runs", part)
        for part in shlex.split(command)
    )
    return shlex.join(part for part in parts if not part.startswith(places))


def renew() -> None:
    """Renew README.md, docs/results.md and their picture from what stands in results/."""
    sources = headline.read_sources()
    figure = plots.robustness(headline.gather(sources))
    plots.save_png(figure, REPOSITORY / PICTURE)
    renew_page(README, {"headline": headline_block(sources)})
    rates, printed = read_study(REPOSITORY / RATES), read_study(REPOSITORY / PRINTED)
    networks, pooling = read_study(REPOSITORY / NETWORKS), read_study(REPOSITORY / POOLING)
    ablation = read_study(REPOSITORY / ABLATION)
    renew_page(DETAILS, {
        "results": results_block(sources.study, rates, printed, sources.baseline),
        "networks": networks_block(networks, pooling),
        "ensembles": ensembles_block(REPOSITORY / ENSEMBLES),
        "ablation": ablation_block(ablation),
        "fer2013c": suite_block([
            read_study(REPOSITORY / place) for place in SUITES if (REPOSITORY / place).exists()
        ]),
    })
    print(f"renewed {README}, {DETAILS} and {PICTURE}")


def renew_page(page: Path, blocks: dict[str, str]) -> None:
    """Write blocks into a page of the repository, each between its markers."""
    text = (REPOSITORY / page).read_text()
    for name, block in blocks.items():
        text = replace_block(text, block, name=name)
    files.write_text(REPOSITORY / page, text)


def _rate(run: Run) -> float:
    return run.result["config"]["optim"]["learning_rate"]
