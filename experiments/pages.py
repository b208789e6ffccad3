"""An experiment's pages: the paper's numbers beside its runs', our own tables, and the figures."""

import json
from html import escape
from pathlib import Path

from experiments import ledger_join, ledger_pages
from experiments.ledger import NUMBERS, RESULTS
from fer_jax import files
from fer_jax.configuring import REPOSITORY
from fer_jax.report.elements import page_html, section, table_html
from fer_jax.report.results import Study, read_study
from fer_jax.report.tables import (
    Table, accuracies, all_evaluations, markdown, private_half, recalls, size_and_cost,
)

SYNTHETIC = (
    "SYNTHETIC: this is a smoke test on few drawn faces with tiny networks. It shows that every "
    "run works; its numbers say nothing about real faces and stand beside no paper's."
)


def write_pages(title: str, paper: str, workdir: Path) -> list[Path]:
    """Write WORKDIR/experiment.md and experiment.html from the results in it; return their paths.

    `paper` is the papers' id in paper_numbers.json, or "" where there is no paper. The figures are
    those that the study's report has written as figures/*.png.

    Raises:
      UserError: there are no results in `workdir`.
    """
    study = read_study(workdir)
    entries = _entries(paper, workdir)
    figures = [path.relative_to(workdir) for path in sorted((workdir / "figures").rglob("*.png"))]
    texts = {
        "experiment.md": _markdown(title, paper, study, entries, figures),
        "experiment.html": _html(title, paper, study, entries, figures),
    }
    for name, text in texts.items():
        files.write_text(workdir / name, text)
    return [workdir / name for name in texts]


def _entries(paper: str, workdir: Path) -> list[dict]:
    """Join the paper's numbers with the runs of this workdir alone."""
    numbers = json.loads((REPOSITORY / NUMBERS).read_text())
    counts = ledger_join.read_counts(REPOSITORY / RESULTS)
    wanted = [number for number in numbers if number["paper"] == paper]
    return ledger_join.join(wanted, ledger_join.read_results(workdir), counts)


def _tables(study: Study) -> list[Table]:
    made = [
        accuracies(study), private_half(study), recalls(study, distorted=False),
        size_and_cost(study), all_evaluations(study),
    ]
    return [table for table in made if table]


def _markdown(title, paper, study, entries, figures) -> str:
    parts = [f"# {title}"]
    parts += [f"**{SYNTHETIC}**"] if study.synthetic else []
    if entries:
        parts += [ledger_pages.paper_markdown(paper, "The paper's numbers and ours", entries)]
        parts += list(ledger_pages.READING)
    parts += ["## Our runs", *(markdown(table).strip() for table in _tables(study)), "## Figures"]
    parts += [f"![{_alt(path)}]({path.as_posix()})" for path in figures]
    return "\n\n".join(parts) + "\n"


def _html(title, paper, study, entries, figures) -> str:
    banner = f'<p class="banner" role="note">{escape(SYNTHETIC)}</p>' if study.synthetic else ""
    body = []
    if entries:
        reading = "".join(f'<p class="notes">{ledger_pages.code_html(text)}</p>' for text in ledger_pages.READING)
        body += [ledger_pages.paper_html(paper, "The paper's numbers and ours", entries), reading]
    body += [section("Our runs", "".join(table_html(table, study) for table in _tables(study)))]
    pictures = "".join(
        f'<figure><img src="{escape(path.as_posix())}" alt="{escape(_alt(path))}" loading="lazy" '
        f'style="max-width:min(100%,34rem)"><figcaption>{escape(_alt(path))}</figcaption></figure>'
        for path in figures
    )
    body += [section("Figures", pictures)] if figures else []
    return page_html(
        title, f"<header><h1>{escape(title)}</h1>{banner}</header>", "".join(body),
        footer="Written from this folder's results; report.html beside it has the curves "
        "of every run.", style=ledger_pages.SHEET,
    )


def _alt(path: Path) -> str:
    return path.stem.replace("-", " ").replace("_", " ")
