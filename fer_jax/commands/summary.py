"""Flags of `python -m fer_jax.summary`, and what it prints."""

import json

from fer_jax.arguments import Parser
from fer_jax.errors import run_command


@run_command
def main(argv: list[str] | None = None) -> None:
    """Print the layers of a config's network, or its parameter counts as JSON."""
    parser = Parser("fer_jax.summary", main.__doc__)
    parser.add_argument("--config", required=True, metavar="FILE.py[:VARIANT]")
    parser.add_argument("--run", metavar="NAME", help="which run of a study")
    parser.add_argument("--json", action="store_true", help="print only the counts, as JSON")
    arguments = parser.parse_args(argv)
    from rich.console import Console

    from fer_jax import summary
    from fer_jax.checks import check_run
    from fer_jax.configuring import load_config
    from fer_jax.results import count_parameters

    reference = arguments.config
    config = summary.choose_run(load_config(reference), arguments.run, reference=reference)
    check_run(config)
    layers, state = summary.list_layers(config)
    counts = count_parameters(state, rules=config.optim.rules)
    if arguments.json:
        print(json.dumps(counts))
        return
    title = f"{reference} {arguments.run}" if arguments.run else reference
    Console().print(summary.make_table(layers, counts, title=title))
