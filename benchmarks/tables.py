"""Write the tables of the latest results into README.md: `python -m benchmarks.tables`."""

from pathlib import Path

from benchmarks import gpu, memory, reporting, startup, step_table, turn_tables
from fer_jax import files
from fer_jax.arguments import Parser
from fer_jax.configuring import REPOSITORY
from fer_jax.errors import UserError, run_command

README = REPOSITORY / "benchmarks" / "README.md"
# What makes tables of each file's rows; the file is FOLDER/NAME.json, the block in README NAME.
TABLES = {
    "startup": lambda rows: [startup.make_table(rows)],
    "memory": lambda rows: [memory.make_table(rows)],
    "gpu": gpu.make_tables,
}


@run_command
def main(argv: list[str] | None = None) -> None:
    """Renew the tables in benchmarks/README.md from results/benchmarks/."""
    Parser("benchmarks.tables", main.__doc__).parse_args(argv)
    text = README.read_text()
    for name in TABLES:
        text = replace_block(text, describe(name), name=name)
    for name in turn_tables.TABLES:
        block = turn_tables.describe(name, REPOSITORY / reporting.FOLDER)
        text = replace_block(text, block, name=name)
    steps = step_table.describe(REPOSITORY / reporting.FOLDER / "step")
    text = replace_block(text, steps, name="step")
    faces = step_table.describe_throughput(REPOSITORY / reporting.FOLDER / "throughput.json")
    text = replace_block(text, faces, name="throughput")
    files.write_text(README, text)
    print(f"renewed {README.relative_to(REPOSITORY)}")


def describe(name: str, folder: Path = REPOSITORY / reporting.FOLDER) -> str:
    """Return the Markdown of a benchmark's tables, with device, commit and command."""
    import json

    from fer_jax.report.tables import markdown

    path = folder / f"{name}.json"
    rows = reporting.load_rows(path)
    if not rows:
        return "Not measured yet."
    held = json.loads(path.read_text())
    tables = [markdown(table).strip() for table in TABLES[name](rows)]
    loads = [row["load"] for row in rows if "load" in row]
    load = f" The machine had a load of {max(loads):.0f} from elsewhere." if loads else ""
    return "\n\n".join([*tables, reporting.made_by(held) + load])


def replace_block(text: str, block: str, *, name: str) -> str:
    """Put a block between its two markers.

    Raises:
      UserError: the markers are not there.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UserError(f"{README} has no {begin} ... {end}; put the two lines back")
    return f"{before}{begin}\n{block}\n{end}{after}"


if __name__ == "__main__":
    raise SystemExit(main())
