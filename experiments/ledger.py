"""Join the papers' numbers with results/: `python -m experiments.ledger`."""

import json
from pathlib import Path
from typing import Any

from experiments import ledger_ensembles, ledger_join, ledger_pages
from experiments.ledger_rows import ROWS
from fer_jax import files, summary, writers
from fer_jax.arguments import Parser
from fer_jax.configuring import REPOSITORY, load_config
from fer_jax.errors import run_command
from fer_jax.results import count_parameters

NUMBERS = Path("experiments/paper_numbers.json")
RESULTS = Path("results")


def build(root: Path = REPOSITORY) -> dict[str, str]:
    """Return the text of the ledger's three files, by name, from what stands under `root`."""
    numbers = json.loads((root / NUMBERS).read_text())
    results = ledger_join.read_results(root / RESULTS)
    entries = ledger_join.join(
        numbers, results, ledger_join.read_counts(root / RESULTS),
        ledger_ensembles.read_ensembles(root / RESULTS),
    )
    alarms = ledger_join.alarms(results)
    held = {"alarms": dict(alarms), "numbers": entries}
    return {
        "LEDGER.md": ledger_pages.markdown(entries, alarms),
        "ledger.html": ledger_pages.html(entries, alarms),
        "ledger.json": json.dumps(held, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }


def count_networks() -> dict[str, dict[str, Any]]:
    """Count the parameters of the full-size networks, from shapes alone."""
    found = {}
    for path in dict.fromkeys(row.network for row in ROWS.values() if row.network):
        config = load_config(path)
        counts = count_parameters(summary.abstract_state(config), rules=config.optim.rules)
        found[path] = counts | {"command": f"python -m fer_jax.summary --config={path} --json"}
    return found


@run_command
def main(argv: list[str] | None = None) -> None:
    """Renew LEDGER.md, ledger.html and ledger.json from the papers' numbers and results/."""
    parser = Parser("experiments.ledger", main.__doc__)
    parser.add_argument(
        "--count", action="store_true",
        help="count the full-size networks' parameters anew, into results/parameters.json",
    )
    if parser.parse_args(argv).count:
        writers.write_json(REPOSITORY / RESULTS / ledger_join.COUNTS, count_networks())
    built = build()
    for name, text in built.items():
        files.write_text(REPOSITORY / name, text)
    for run, said in json.loads(built["ledger.json"])["alarms"].items():
        for alarm in said:
            print(f"alarm: {run}: {alarm}")
    print(f"wrote {', '.join(built)}")


if __name__ == "__main__":
    raise SystemExit(main())
