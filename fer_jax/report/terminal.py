"""Print the paper's tables and ours in 80 columns, with or without a terminal."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from fer_jax.report.choices import choices
from fer_jax.report.results import read_study
from fer_jax.report.seeds import seeds
from fer_jax.report.tables import (
    Table, accuracies, averages, li_tables, ours_only, reconstruction,
)

WIDTH = 80


def print_tables(workdir: Path | str, *, console: Console | None = None) -> None:
    """Print Li's Tables 2-4, the paper beside ours, and the networks that are ours alone.

    A run that is none of Li's prints its accuracies instead, a grid the points it chooses from, and
    several seeds of one run their mean and spread.

    Raises:
      UserError: there are no results in `workdir`.
    """
    study = read_study(workdir)
    console = console or Console()
    tables = [choices(study)] if study.points else [*li_tables(study), ours_only(study)]
    if over := None if study.points else seeds(study):
        tables = [over]
    if not any(tables):
        tables = [accuracies(study), averages(study), reconstruction(study)]
    if study.synthetic:
        note = "SYNTHETIC faces: ours cannot be compared with the paper's numbers."
        width = min(WIDTH, console.width)
        console.print(Text(note, style="bold yellow"), width=width, soft_wrap=False)
    for table in filter(None, tables):
        console.print()
        print_table(table, console=console)


def print_table(table: Table, *, console: Console | None = None) -> None:
    """Print one table in at most 80 columns."""
    console = console or Console()
    width = min(WIDTH, console.width)
    unicode = (console.encoding or "").lower().startswith("utf")
    console.print(_rich_table(table, unicode=unicode, width=width), width=width)


def _rich_table(table: Table, *, unicode: bool, width: int) -> RichTable:
    def text(value: str) -> Text:
        return Text(value if unicode else _ascii(value))

    columns = list(zip(table.columns, *table.rows, strict=True))
    heads = [name.replace(", ", ",\n").replace(" (", "\n(") for name in table.columns]
    needed = [
        max(map(len, (*head.split("\n"), *cells)))
        for head, (_, *cells) in zip(heads, columns, strict=True)
    ]
    # A column is padded by one, and between two of them stands a divider.
    fits = sum(needed) + 2 * len(needed) - 1 <= width
    rich = RichTable(
        title=text(table.title),
        title_justify="left",
        title_style="bold",
        caption=text(" ".join(table.notes)) if table.notes else None,
        caption_justify="left",
        caption_style="dim",
        box=box.SIMPLE_HEAD if unicode else box.ASCII2,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for i, head in enumerate(heads):
        side = "right" if i else "left"
        rich.add_column(text(head), justify=side, vertical="bottom", no_wrap=fits, overflow="fold")
    for row in table.rows:
        rich.add_row(*(text(cell) for cell in row))
    return rich


def _ascii(value: str) -> str:
    plain = value.translate(str.maketrans({"—": "-", "–": "-", "−": "-", "σ": "sigma"}))
    return plain.encode("ascii", "replace").decode("ascii")
