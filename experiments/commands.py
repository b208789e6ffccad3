"""Flags of the two commands that write pages from results/; what they call is slow to import."""

import json
from pathlib import Path

from fer_jax.arguments import Parser
from fer_jax.configuring import REPOSITORY
from fer_jax.errors import run_command


@run_command
def ledger(argv: list[str] | None = None) -> None:
    """Renew LEDGER.md, ledger.html and ledger.json from the papers' numbers and results/."""
    parser = Parser("experiments.ledger", ledger.__doc__)
    parser.add_argument(
        "--count", action="store_true",
        help="count the full-size networks' parameters anew, into results/parameters.json",
    )
    arguments = parser.parse_args(argv)
    from experiments.ledger import RESULTS, build, count_networks
    from experiments.ledger_join import COUNTS
    from fer_jax import files, writers

    if arguments.count:
        writers.write_json(REPOSITORY / RESULTS / COUNTS, count_networks())
    built = build()
    for name, text in built.items():
        files.write_text(REPOSITORY / name, text)
    for run, said in json.loads(built["ledger.json"])["alarms"].items():
        for alarm in said:
            print(f"alarm: {run}: {alarm}")
    print(f"wrote {', '.join(built)}")


@run_command
def readme(argv: list[str] | None = None) -> None:
    """Collect a study's results if asked to, then renew README.md and docs/results.md."""
    parser = Parser("experiments.readme", readme.__doc__)
    parser.add_argument("--collect", type=Path, help="workdir of a study to take results from")
    arguments = parser.parse_args(argv)
    from experiments.readme import RESULTS, collect, renew

    if arguments.collect:
        collect(arguments.collect, REPOSITORY / RESULTS / arguments.collect.resolve().name)
    renew()
