"""Write the ledger as Markdown and as one self-contained HTML page."""

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from experiments.ledger_rows import HONEST, PAPERS
from fer_jax.report.elements import page_html, section

MISSING = "—"
STATUSES = {
    "run": "trained at full width and for the paper's epochs",
    "reduced": "trained at a smaller width or for fewer epochs, as shown",
    "counted": "a count or a size: nothing has to be trained",
    "licensed data": "the dataset is licensed to each user, so nothing of ours is here",
    "not run": "no result of ours",
    "cited": "another paper's number, which this paper only quotes",
}
VERDICTS = {
    "reproduced": "the paper's value, as printed, lies in our interval (without one: ours rounds "
    "to it)",
    "better": "our whole interval is on the better side",
    "not reproduced": "it is on the worse side, at full size",
    "not reached (reduced)": "it is on the worse side, but ours is reduced, which shows nothing "
    "about the paper",
    "cannot be right": "the number cannot be what the paper takes it for; the arithmetic stands "
    "with it",
}
READING = (
    "Every number that the five papers report stands in `experiments/paper_numbers.json`; ours "
    "come from `results/` and from nowhere else. “Same protocol” is the paper's own split and way of "
    "testing. “PrivateTest” is the honest protocol: choose on PublicTest, report FER2013's "
    "PrivateTest once; plain has all 3,589 faces, clean leaves out those that also stand in "
    "Training (3,301), strict those in PublicTest too (3,275). † marks runs that chose on a fifth "
    "of Training instead (Li's protocol).",
    "In brackets stands a 95 % interval: over the test faces (Wilson) for one seed, over seeds "
    "(Student's t) for more; that of a difference of ensembles is a paired bootstrap. Runs are one group if only the seed differs; of several groups the "
    "widest and then the longest-trained counts, whatever it scored. A verdict goes by the same "
    "protocol and, where we have none, by plain PrivateTest (marked *). Words in round brackets "
    "behind a verdict limit it. How long a training took gets no verdict.",
)


class Line(NamedTuple):
    """One number's line as text."""

    ident: str
    quantity: str
    place: str
    paper: str
    same: str
    plain: str
    clean: str
    strict: str
    seeds: str
    status: str
    verdict: str
    made_by: str


HEADS = {
    "paper": "paper", "same": "ours, same protocol", "plain": "ours, PrivateTest plain",
    "clean": "clean", "strict": "strict", "seeds": "seeds", "status": "status",
    "verdict": "verdict", "made_by": "made by",
}


def markdown(entries: list[dict[str, Any]], alarms: list[tuple[str, list[str]]]) -> str:
    """Write the whole ledger as GitHub Markdown."""
    parts = [
        "# Ledger: the five papers' numbers and ours",
        "Written by `python -m experiments.ledger` (`make ledger`); no number is typed in.",
        *READING,
        _definitions("Status", STATUSES), _definitions("Verdict", VERDICTS),
        _counts_markdown(entries),
        "## Alarms",
        "What the evaluations in `results/` say against themselves:",
        "\n".join(f"- `{run}`: {'; '.join(said)}" for run, said in alarms) or "none.",
    ]
    for paper, title in PAPERS.items():
        parts.append(paper_markdown(paper, title, entries))
    return "\n\n".join(parts) + "\n"


def html(entries: list[dict[str, Any]], alarms: list[tuple[str, list[str]]]) -> str:
    """Write the whole ledger as one HTML page that asks for nothing outside it."""
    counts = _tally(entries)
    heads = ["", *STATUSES]
    rows = [
        [PAPERS.get(paper, "all"), *(str(held[status] or MISSING) for status in STATUSES)]
        for paper, held in counts.items()
    ]
    said = "".join(
        f"<li><strong>{escape(run)}</strong>: {escape('; '.join(found))}</li>"
        for run, found in alarms
    )
    body = [
        section("How to read this", "".join(f"<p>{code_html(text)}</p>" for text in READING)
                + _definitions_html(STATUSES) + _definitions_html(VERDICTS)),
        f'<section class="alarms"><h2>Alarms</h2><ul>{said}</ul></section>' if said else "",
        section("How many", grid_html(heads, rows)),
        *(paper_html(paper, title, entries) for paper, title in PAPERS.items()),
    ]
    header = f'<header><h1>Ledger</h1><p class="headline">{escape(_headline(entries))}</p></header>'
    footer = (
        "Written by python -m experiments.ledger from experiments/paper_numbers.json and results/."
    )
    title = "Ledger: the five papers' numbers and ours"
    return page_html(title, header, "".join(body), footer=footer, style=SHEET)


def paper_markdown(paper: str, title: str, entries: list[dict[str, Any]]) -> str:
    """Write one paper's section: its own numbers beside ours, remarks, commands, cited numbers."""
    held = [entry for entry in entries if entry["paper"] == paper]
    own = [entry for entry in held if entry["kind"] == "own"]
    commands = _commands(own)
    parts = [f"## {title}", _table_markdown([line(e, commands) for e in own])]
    remarks: dict[str, list[str]] = {}
    for entry in own:
        if said := remark(entry):
            remarks.setdefault(said, []).append(f"{entry['quantity']}, {paper_text(entry)}")
    lines = [f"- {'; '.join(numbers)}. {said}" for said, numbers in remarks.items()]
    parts += ["\n".join(lines)] if lines else []
    listed = [f"{number}. `{command}`" for command, number in commands.items()]
    parts += ["Made by:\n\n" + "\n".join(listed)] if listed else []
    cited = [entry for entry in held if entry["kind"] == "cited"]
    parts += [_cited_markdown(cited)] if cited else []
    return "\n\n".join(parts)


def line(entry: dict[str, Any], commands: dict[str, int]) -> Line:
    """Say one number's entry as text; `commands` numbers the commands that made ours."""
    used = list(dict.fromkeys(
        commands[command] for kind in ("same", *HONEST) if entry[kind]
        for command in entry[kind]["commands"]
    ))
    status = entry["status"] + (f": {entry['scale']}" if entry["scale"] else "")
    return Line(
        entry["id"], entry["quantity"], entry["place"], paper_text(entry) + _fraction(entry),
        *(cell_text(entry, kind) for kind in ("same", *HONEST)),
        _seeds(entry), status,
        (entry["verdict"] + ("*" if entry["judged_by"] == "plain" else "")) or MISSING,
        ", ".join(map(str, used)) or MISSING,
    )


def paper_text(entry: dict[str, Any]) -> str:
    """Write a number as its paper prints it."""
    text = f"{entry['value']:,.{max(entry['decimals'], 0)}f}"
    before = {"above": "> ", "at most": "≤ "}.get(entry.get("bound", ""), "")
    before += "about " if entry.get("approximate") else ""
    return before + text + _unit(entry)


def cell_text(entry: dict[str, Any], kind: str) -> str:
    """Write one cell of ours, in the paper's unit, with its interval."""
    span = interval_text(entry, kind)
    return value_text(entry, kind) + (f" ({span})" if span else "")


def value_text(entry: dict[str, Any], kind: str) -> str:
    """Write the value of one cell of ours, in the paper's unit."""
    cell = entry[kind]
    if cell is None:
        return MISSING
    digits = min(max(entry["decimals"], 2 if _in_percent(entry) else 0), 4)
    if entry["unit"] == "share":
        digits = 4
    text = _scaled(entry, cell["value"], digits) + _unit(entry)
    return text + (" †" if kind in HONEST and cell["protocol"] == "keras80" else "")


def interval_text(entry: dict[str, Any], kind: str) -> str:
    """Write the interval of one cell of ours, in the paper's unit; "" where it has none."""
    cell = entry[kind]
    if cell is None or cell["low"] is None:
        return ""
    digits = 1 if _in_percent(entry) else 3
    low, high = (_scaled(entry, cell[end], digits) for end in ("low", "high"))
    return f"{low} to {high}"


def _in_percent(entry: dict[str, Any]) -> bool:
    return entry["unit"] in ("%", "points")


def _scaled(entry: dict[str, Any], value: float, digits: int) -> str:
    return f"{(100 if _in_percent(entry) else 1) * value:,.{digits}f}".replace("-", "−")


def _unit(entry: dict[str, Any]) -> str:
    points = " point" if entry["value"] == 1 else " points"
    return {"%": " %", "points": points, "MB": " MB"}.get(entry["unit"], "")


def _seeds(entry: dict[str, Any]) -> str:
    said = [seeds_text(entry, kind) for kind in ("same", *HONEST)]
    return "; ".join(text for text in dict.fromkeys(said) if text != MISSING) or MISSING


def seeds_text(entry: dict[str, Any], kind: str) -> str:
    """Say how many seeds one cell of ours is from, and their standard deviation."""
    cell = entry[kind]
    if cell is None or not cell["seeds"]:
        return MISSING
    sd = cell["sd"]
    digits = 2 if _in_percent(entry) else 4
    return str(len(cell["seeds"])) + ("" if sd is None else f", sd {_scaled(entry, sd, digits)}")


def remark(entry: dict[str, Any]) -> str:
    """Say what a reader must know beside a number: why it cannot be right, and the row's note."""
    wrong = entry["verdict"] == "cannot be right"
    why = f"**Cannot be right**: {entry['arithmetic']}." if wrong else ""
    return " ".join(filter(None, (why, entry["note"])))


def _fraction(entry: dict[str, Any]) -> str:
    """Say of how many faces a percentage is a share, where it is one."""
    known = entry["arithmetic"] and entry["verdict"] != "cannot be right"
    return f" = {entry['arithmetic']}" if known else ""


def _commands(entries: list[dict[str, Any]]) -> dict[str, int]:
    """Number the commands that made a paper's cells, in the order of the table."""
    cells = (entry[kind] for entry in entries for kind in ("same", *HONEST) if entry[kind])
    found = dict.fromkeys(command for cell in cells for command in cell["commands"])
    return {command: number for number, command in enumerate(found, start=1)}


def _tally(entries: list[dict[str, Any]]) -> dict[str, Counter]:
    papers = [*PAPERS, "all"]
    return {
        paper: Counter(e["status"] for e in entries if paper in (e["paper"], "all"))
        for paper in papers
    }


def _headline(entries: list[dict[str, Any]]) -> str:
    own = [entry for entry in entries if entry["kind"] == "own"]
    ours = sum(1 for e in own if e["status"] in ("run", "reduced", "counted"))
    wrong = sum(1 for e in own if e["verdict"] == "cannot be right")
    return (
        f"Of {len(own)} results that the five papers report as their own, {ours} have one of ours "
        f"beside them, and {wrong} cannot be what the paper takes them for."
    )


def _counts_markdown(entries: list[dict[str, Any]]) -> str:
    lines = [
        _headline(entries), "",
        "| paper | " + " | ".join(STATUSES) + " |", "|---|" + "---:|" * len(STATUSES),
    ]
    for paper, held in _tally(entries).items():
        cells = (str(held[status] or MISSING) for status in STATUSES)
        lines.append(f"| {PAPERS.get(paper, 'all')} | {' | '.join(cells)} |")
    verdicts = Counter(entry["verdict"] for entry in entries if entry["verdict"])
    said = ", ".join(f"{name} {n}" for name, n in sorted(verdicts.items()))
    return "\n".join([*lines, "", f"Verdicts: {said or 'none'}."])


def _definitions(title: str, held: dict[str, str]) -> str:
    return f"**{title}.** " + "; ".join(f"`{name}`: {text}" for name, text in held.items()) + "."


def _table_markdown(lines: list[Line]) -> str:
    rows = [
        "| number (place) | " + " | ".join(HEADS.values()) + " |",
        "|---|" + "---:|" * (len(HEADS) - 3) + "---|---|---|",
    ]
    for held in lines:
        cells = (getattr(held, name) for name in HEADS)
        rows.append(f"| {held.quantity} ({held.place}) | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cited_markdown(entries: list[dict[str, Any]]) -> str:
    rows = ["| cited number (place) | source | paper | as a fraction |", "|---|---|---:|---|"]
    for e in entries:
        said = e["arithmetic"] or MISSING
        rows.append(
            f"| {e['quantity']} ({e['place']}) | {e['source']} | {paper_text(e)} | {said} |"
        )
    return "\n".join(rows)


def paper_html(paper: str, title: str, entries: list[dict[str, Any]]) -> str:
    """Write one paper's section as HTML."""
    held = [entry for entry in entries if entry["paper"] == paper]
    own = [entry for entry in held if entry["kind"] == "own"]
    cited = [entry for entry in held if entry["kind"] == "cited"]
    commands = _commands(own)
    cards = "".join(_row_html(entry, line(entry, commands)) for entry in own)
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in ("number", *HEADS.values()))
    body = (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(title)}">'
        f'<table class="ledger"><thead><tr>{heads}</tr></thead><tbody>{cards}</tbody></table></div>'
    )
    if commands:
        items = "".join(f"<li><code>{escape(command)}</code></li>" for command in commands)
        body += f"<h3>Made by</h3><ol>{items}</ol>"
    if cited:
        rows = [
            [f"{e['quantity']} ({e['place']})", e["source"], paper_text(e),
             e["arithmetic"] or MISSING] for e in cited
        ]
        body += "<h3>Cited</h3>" + grid_html(["number", "source", "paper", "as a fraction"], rows)
    return section(title, body)


def _row_html(entry: dict[str, Any], held: Line) -> str:
    said = remark(entry).replace("**", "")
    note = f'<p class="notes">{escape(said)}</p>' if said else ""
    cells = []
    for name, head in HEADS.items():
        text = getattr(held, name)
        kind = f' class="verdict {_class(entry)}"' if name == "verdict" else ""
        inner = f"<span{kind}>{escape(text)}</span>"
        cells.append(f'<td data-head="{escape(head)}"{_empty(text)}>{inner}</td>')
    return (
        f'<tr id="{escape(entry["id"])}"><th scope="row">{escape(held.quantity)}'
        f'<span class="muted">{escape(held.place)}</span>{note}</th>{"".join(cells)}</tr>'
    )


def _empty(text: str) -> str:
    return ' data-empty=""' if text == MISSING else ""


def _class(entry: dict[str, Any]) -> str:
    return entry["verdict"].partition(" (")[0].replace(" ", "-") or "none"


def grid_html(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table that becomes cards where there is no room; the first column names the row."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(
            f'<td data-head="{escape(head)}"{_empty(cell)}><span>{escape(cell)}</span></td>'
            for head, cell in zip(heads[1:], cells, strict=True)
        )
        + "</tr>"
        for first, *cells in rows
    )
    return (
        '<div class="scroll" tabindex="0"><table class="ledger small"><thead><tr>'
        f"{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _definitions_html(held: dict[str, str]) -> str:
    items = "".join(
        f"<li><strong>{escape(name)}</strong>: {escape(text)}</li>" for name, text in held.items()
    )
    return f'<ul class="plain notes">{items}</ul>'


def code_html(text: str) -> str:
    """Escape a text and set what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


# Beside the report's sheet: wide rows, which become cards where there is no room for a table.
SHEET = """
main,header,footer{max-width:84rem}
.ledger{font-size:.84rem;width:100%}
.ledger td{white-space:normal;min-width:4.5rem}
.ledger tbody th{white-space:normal;min-width:15rem;max-width:24rem;text-align:left}
.ledger tbody th .muted{display:block;font-weight:400;font-size:.78rem}
.ledger tbody th .notes{font-weight:400;font-size:.78rem}
.ledger td:nth-last-child(-n+3),.ledger th:nth-last-child(-n+3){text-align:left}
.ledger.small td,.ledger.small th{text-align:right}
.ledger.small th:first-child{text-align:left}
.verdict{white-space:nowrap}
.cannot-be-right,.not-reproduced{color:var(--warn);border:1px solid var(--warn-line);
border-radius:3px;padding:0 .3em}
.reproduced,.better{font-weight:600}
ol{padding-left:1.4rem;font-size:.84rem}code{font-size:.88em;overflow-wrap:anywhere}
@media (max-width:60rem){.ledger thead{display:none}
.ledger,.ledger tbody{display:block}
.ledger tr{display:block;border-bottom:1px solid var(--grid);padding:.6rem 0}
.ledger tbody th,.ledger td,.ledger.small td{display:block;border:0;max-width:none;padding:.1rem 0;
text-align:left}
.ledger td{display:flex;gap:.8rem;justify-content:space-between;font-size:.84rem}
.ledger.small td{display:flex}
.ledger td::before{content:attr(data-head);color:var(--muted);flex:none}
.ledger td span{text-align:right}
.ledger td[data-empty]{display:none}
.ledger tbody th{font-size:.9rem}}
@media print{.ledger{font-size:7.5pt}}
"""
