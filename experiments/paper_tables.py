"""The papers' tables, printed as the papers', with ours beside each number."""

import re
from typing import Any

from experiments import ledger_pages
from experiments.ledger_join import Result
from experiments.ledger_rows import HONEST
from fer_jax.report.tables import Table
from fer_jax.report.wording import MISSING

COLUMNS = (
    "number", "paper", "ours, same protocol", "ours, honest: PrivateTest", "without copies",
    "strictly without", "n", "seeds", "95 % interval", "verdict",
)
KINDS = ("same", *HONEST)
# What each table of a paper is of; every number that the papers report is in one, or in the text.
TITLES = {
    ("li2023", "Table 2"): "the stand-alone VGG",
    ("li2023", "Table 3"): "hybrid A, the DAE pretrained and frozen",
    ("li2023", "Table 4"): "hybrid B, trained jointly from scratch",
    ("dong2021", "Table 1"): "RAF-DB, step by step",
    ("dong2021", "Table 2"): "RAF-DB, beside others",
    ("dong2021", "Table 3"): "SFEW",
    ("dong2021", "Table 4"): "SFEW, beside others",
    ("dick2024", "Table 1"): "four networks",
    ("gao", "Table 1"): "test accuracies, beside others",
}
IN_TEXT = "In the text and the figures"
NOTE = (
    "n, seeds and interval have a line for each column of ours that is filled, in the columns' "
    "order. The interval is Wilson's over the faces for one seed, Student's t over the seeds for "
    "more; with more, ours is their mean."
)


def build(paper: str, entries: list[dict[str, Any]], results: list[Result]) -> list[Table]:
    """Build a paper's tables in its order, and one of the numbers that stand in its text.

    `entries` are joined numbers of the paper, `results` those that they are from; the lines within
    a cell are parted by newlines.
    """
    places = sorted({table for entry in entries for table in _tables_of(entry)})
    grouped = {place: [e for e in entries if place in _tables_of(e)] for place in places}
    grouped[IN_TEXT] = [entry for entry in entries if not _tables_of(entry)]
    counts = _face_counts(results)
    made = [
        Table(
            title=_title(paper, place), columns=COLUMNS,
            rows=[_row(entry, counts) for entry in held], notes=tuple(_remarks(held)),
        )
        for place, held in grouped.items() if held
    ]
    # How to read them stands once, beneath the first.
    return [table._replace(notes=(NOTE, *table.notes)) for table in made[:1]] + made[1:]


def _tables_of(entry: dict[str, Any]) -> list[str]:
    """Name the paper's tables that a number stands in: of `Tables 1 and 2; section 3` two."""
    found = re.findall(r"Tables? (\d+(?:(?:, | and )\d+)*)", entry["place"])
    return [f"Table {number}" for text in found for number in re.findall(r"\d+", text)]


def _title(paper: str, place: str) -> str:
    said = TITLES.get((paper, place))
    return f"{place}: {said}" if said else place


def _row(entry: dict[str, Any], counts: dict[tuple[str, str], int]) -> tuple[str, ...]:
    filled = [kind for kind in KINDS if entry[kind]]
    name = entry["quantity"]
    if entry["kind"] == "cited":
        name += f" (cited: {entry['source']})"
    verdict = entry["verdict"] or (entry["status"] if not filled else MISSING)
    if entry["scale"]:
        verdict += f"\n{entry['scale']}"
    return (
        name, _unbroken(ledger_pages.paper_text(entry)),
        *(_unbroken(ledger_pages.value_text(entry, kind)) for kind in KINDS),
        _lines(_faces_text(entry[kind], counts) for kind in filled),
        _lines(ledger_pages.seeds_text(entry, kind) for kind in filled),
        _lines(_unbroken(ledger_pages.interval_text(entry, kind)) or MISSING for kind in filled),
        verdict,
    )


def _unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0")


def _lines(texts) -> str:
    held = list(texts)
    return "\n".join(held) if any(text != MISSING for text in held) else MISSING


def _faces_text(cell: dict[str, Any], counts: dict[tuple[str, str], int]) -> str:
    if "n" in cell:
        return f"{cell['n']:,}"
    found = {counts[run, cell["split"]] for run in cell["runs"] if (run, cell["split"]) in counts}
    return " or ".join(f"{n:,}" for n in sorted(found)) or MISSING


def _face_counts(results: list[Result]) -> dict[tuple[str, str], int]:
    """Give the number of faces by (run's folder, split)."""
    return {
        (result.folder, entry["split"]): entry["n"]
        for result in results for entry in result.held.get("evaluations", [])
    }


def _remarks(entries: list[dict[str, Any]]) -> list[str]:
    """Say each remark on the numbers once, with the numbers that it is on."""
    held: dict[str, list[str]] = {}
    for entry in entries:
        if said := ledger_pages.remark(entry):
            held.setdefault(said.replace("**", ""), []).append(entry["quantity"])
    return [f"{'; '.join(names)}: {said}" for said, names in held.items()]
