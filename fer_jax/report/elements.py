"""Build the report's HTML elements: figures, tables, sections; every text is escaped here."""

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from fer_jax.report import plots, wording
from fer_jax.report.results import Study
from fer_jax.report.style import style_sheet
from fer_jax.report.tables import Table


def page_html(title: str, header: str, body: str, *, footer: str, style: str = "") -> str:
    """Return a whole page that asks for nothing outside it; header and body are ready HTML.

    `style` is CSS behind the report's own.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style_sheet()}{style}</style>
</head>
<body>
{header}
<main>
{body}
</main>
<footer>{escape(footer)}</footer>
</body>
</html>
"""


def figure_html(
    figure: Figure, name: str, folder: Path, *, alt: str, caption: str = "", kind: str = "panel"
) -> str:
    """Write a figure as `folder/name.png` and return it as a figure element with inline SVG."""
    ident = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    plots.save_png(figure, folder / f"{ident}.png")
    svg = plots.inline_svg(figure, ident=ident, alt=alt)
    note = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="{kind}">{svg}{note}</figure>'


def table_html(table: Table, study: Study | None = None) -> str:
    """Return a table with its caption and notes; synthetic numbers beside the paper's say so."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    body = []
    for name, *cells in table.rows:
        pairs = zip(cells, table.columns[1:], strict=True)
        marked = "".join(_cell(cell, column, study) for cell, column in pairs)
        body.append(f'<tr><th scope="row">{escape(name)}</th>{marked}</tr>')
    notes = f'<p class="notes">{escape(" ".join(table.notes))}</p>' if table.notes else ""
    return (
        f'<div><div class="scroll" tabindex="0" role="group" aria-label="{escape(table.title)}">'
        f"<table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>{notes}</div>"
    )


def section(heading: str, body: str) -> str:
    """Return a section of ready HTML under a heading."""
    return f"<section><h2>{escape(heading)}</h2>{body}</section>\n"


def details(summary: str, body: str) -> str:
    """Return ready HTML that opens on request."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def named_list(rows: Iterable[tuple[str, str]]) -> str:
    """Return (name, text) pairs as a list."""
    items = (f"<li>{escape(name)}: {escape(text)}</li>" for name, text in rows)
    return f'<ul class="plain notes">{"".join(items)}</ul>'


def faces_png(images: np.ndarray) -> str:
    """Write faces side by side as a data URI; transparent between them, for light and dark."""
    grey = Image.fromarray(plots.strip(images))
    grey.putalpha(Image.fromarray(plots.strip(np.full_like(images, 255), between=0)))
    buffer = io.BytesIO()
    grey.save(buffer, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _cell(text: str, column: str, study: Study | None) -> str:
    value, collapsed, _ = text.partition(" collapsed")
    mark = ' <span class="collapsed">collapsed</span>' if collapsed else ""
    beside_paper = study and study.synthetic and "ours" in column and text != wording.MISSING
    word = ' <span class="syn">synthetic</span>' if beside_paper else ""
    return f"<td>{escape(value)}{word}{mark}</td>"
