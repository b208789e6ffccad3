"""An experiment's pages: the paper's tables beside its runs', our own tables, and the figures."""

import json
from html import escape
from pathlib import Path
from typing import NamedTuple

from experiments import architectures, figures, ledger_ensembles, ledger_join, ledger_pages
from experiments import paper_tables, pictures, seed_tables
from experiments.ledger import NUMBERS, RESULTS
from experiments.paper_figures import FIGURES
from fer_jax import files
from fer_jax.configuring import REPOSITORY
from fer_jax.report.elements import details, page_html, section
from fer_jax.report.results import Study, read_study
from fer_jax.report.tables import Table, all_evaluations, markdown, recalls, size_and_cost
from fer_jax.report.wording import notes

SYNTHETIC = (
    "SYNTHETIC: this is a smoke test on few drawn faces with tiny networks. It shows that every "
    "run works; its numbers say nothing about real faces and stand beside no paper's."
)


class Page(NamedTuple):
    """What stands on a page, before it is written as Markdown or HTML.

    Attributes:
      tables: groups of tables by heading; a heading that ends in "…" is closed at first.
    """

    title: str
    study: Study
    tables: dict[str, list[Table]]
    figures: list[figures.Shown]
    reading: list[str]


def write_pages(
    name: str, title: str, paper: str, workdir: Path, *, baseline: str = "",
    data_dir: str | None = None,
) -> list[Path]:
    """Write WORKDIR/experiment.md and experiment.html from the results in it; return their paths.

    The figures are those of the study's report, in figures/, and a few that are drawn here.

    Args:
      name: the experiment's, whose figures `paper_figures.FIGURES` lists.
      title: of the pages.
      paper: the paper's id in paper_numbers.json, or "" where there is no paper.
      workdir: with the study's results.
      baseline: the run that the others are held against, seed by seed; "" for none.
      data_dir: of the prepared faces, for pictures of the dataset.

    Raises:
      UserError: there are no results in `workdir`.
    """
    study = read_study(workdir)
    listed = FIGURES.get(name, ())
    reasons = pictures.draw(listed, study, workdir, data_dir=data_dir)
    page = Page(
        title, study, _tables(paper, study, workdir, baseline),
        figures.resolve(listed, study, workdir, reasons),
        [*(ledger_pages.READING if paper else ()), *notes(study)],
    )
    texts = {"experiment.md": _markdown(page), "experiment.html": _html(page, workdir)}
    for file, text in texts.items():
        files.write_text(workdir / file, text)
    return [workdir / file for file in texts]


def _tables(paper: str, study: Study, workdir: Path, baseline: str) -> dict[str, list[Table]]:
    distorted = [table for table in (recalls(study, distorted=d) for d in (False, True)) if table]
    splits = seed_tables.by_split(study, baseline=baseline)
    held = {
        "The paper's tables and ours": _paper_tables(paper, workdir),
        "Our runs": [*filter(None, [seed_tables.overview(study)]), *splits[:1]],
        "PrivateTest, with and without copies…": splits[1:],
        "Networks…": architectures.layer_tables(study),
        "Every run…": [*filter(None, [size_and_cost(study), all_evaluations(study)]), *distorted],
    }
    return {heading: tables for heading, tables in held.items() if tables}


def _paper_tables(paper: str, workdir: Path) -> list[Table]:
    """Join the paper's numbers with the runs of this workdir alone."""
    numbers = json.loads((REPOSITORY / NUMBERS).read_text())
    wanted = [number for number in numbers if number["paper"] == paper]
    found = ledger_join.read_results(workdir)
    entries = ledger_join.join(
        wanted, found, ledger_join.read_counts(REPOSITORY / RESULTS),
        ledger_ensembles.read_ensembles(workdir),
    )
    return paper_tables.build(paper, entries, found)


def _markdown(page: Page) -> str:
    synthetic = page.study.synthetic
    shown = figures.markdown(page.figures, synthetic=synthetic)
    parts = [f"# {page.title}", *([f"**{SYNTHETIC}**"] if synthetic else [])]
    for heading, tables in page.tables.items():
        if heading.endswith("…") and shown:
            # What few will read comes behind the figures.
            parts += ["## Figures", shown]
            shown = ""
        written = [markdown(_on_one_line(table)).strip() for table in tables]
        parts += [f"## {heading.removesuffix('…')}", *written]
    parts += ["## How to read this", *page.reading]
    return "\n\n".join(parts) + "\n"


def _on_one_line(table: Table) -> Table:
    rows = [tuple(cell.replace("\n", "; ") for cell in row) for row in table.rows]
    return table._replace(rows=rows)


def _html(page: Page, workdir: Path) -> str:
    synthetic = page.study.synthetic
    banner = f'<p class="banner" role="note">{escape(SYNTHETIC)}</p>' if synthetic else ""
    shown = section("Figures", figures.html(page.figures, workdir, synthetic=synthetic))
    first, last = [], []
    for heading, tables in page.tables.items():
        if heading.endswith("…"):
            inner = "".join(details(table.title, _table_html(table)) for table in tables)
            last.append(section(heading.removesuffix("…"), inner))
        else:
            inner = "".join(f"<h3>{escape(t.title)}</h3>{_table_html(t)}" for t in tables)
            first.append(section(heading, inner))
    said = map(ledger_pages.code_html, page.reading)
    reading = "".join(f'<p class="notes">{text}</p>' for text in said)
    body = [*first, shown if page.figures else "", *last, section("How to read this", reading)]
    return page_html(
        page.title, f"<header><h1>{escape(page.title)}</h1>{banner}</header>", "".join(body),
        footer="Written from this folder's results; report.html beside it has the curves "
        "of every run.", style=ledger_pages.SHEET + SHEET,
    )


def _table_html(table: Table) -> str:
    said = "".join(f'<p class="notes">{escape(note)}</p>' for note in table.notes)
    return ledger_pages.grid_html(table.columns, table.rows) + said


# Beside the ledger's sheet: cells of several lines, and figures of several pictures.
SHEET = """
h1{font-size:clamp(1.4rem,1rem + 1.6vw,2rem);color:var(--ink)}
.ledger.small td{white-space:pre-line;min-width:3.4rem}
.ledger.small th,.ledger.small td{padding-left:.45rem;padding-right:.45rem}
.ledger.small th:first-child{padding-left:0}
.ledger.small tbody th{min-width:7rem}
.ledger.small{width:auto;min-width:0}
.shown{border-top:1px solid var(--grid);padding-top:1rem;margin:1.6rem 0}
.shown figcaption{max-width:44rem;margin-top:.5rem}
.shown.absent figcaption{margin-top:0}
.shots{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}
.shots img{max-width:100%;height:auto;background:#fff;border-radius:4px}
"""
