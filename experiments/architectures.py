"""The layer tables of an experiment's networks, which stand for the papers' drawings of them."""

import json

from experiments.seeds import by_spec
from fer_jax import summary
from fer_jax.configuring import from_json
from fer_jax.report.results import Study
from fer_jax.report.tables import Table
from fer_jax.results import count_parameters


def layer_tables(study: Study) -> list[Table]:
    """Build a table of layers for each distinct network, from shapes alone."""
    networks: dict[str, list[str]] = {}
    configs = {}
    for name, runs in by_spec(study).items():
        config = from_json(runs[0].result["config"])
        # What is as large and trained by the same rules has the same table.
        key = json.dumps(
            [_shape(config.model.to_dict()), config.preprocess.to_dict(), list(config.optim.rules)],
            sort_keys=True,
        )
        networks.setdefault(key, []).append(name)
        configs[key] = config
    return [_table(", ".join(names), configs[key]) for key, names in networks.items()]


def _shape(model: dict) -> dict:
    """Leave out of a network's fields those that change no shape."""
    other = ("variant", "dropout", "kernel_init", "momentum")
    return {name: value for name, value in model.items() if name not in other}


def _table(names: str, config) -> Table:
    layers, state = summary.list_layers(config)
    counts = count_parameters(state, rules=config.optim.rules)
    rows = [
        (
            layer.name, layer.kind, "x".join(map(str, layer.output)),
            *(f"{n:,}" if n else "" for n in (layer.parameters, layer.statistics)), layer.rule,
        )
        for layer in layers
    ]
    return Table(
        title=names, columns=("layer", "kind", "output", "parameters", "statistics", "rule"),
        rows=rows,
        notes=(
            f"{counts['trainable']:,} trainable parameters, {counts['frozen']:,} frozen, "
            f"{counts['non_trainable']:,} running statistics.",
        ),
    )
