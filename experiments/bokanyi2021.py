"""Bokanyi & Meszegeto: nine models of three networks, and their ensembles; figures 1-5."""

from typing import Any

from experiments.harness import Experiment, Spec, command
from experiments.scales import TESTED

NETWORKS = {"shallow": "alizadeh_shallow", "deep": "alizadeh_deep", "fcn": "agrawal_fcn"}


# For two cores; the shallow and the deep network are a quarter as wide there by themselves.
CPU = {
    "shallow": {"epochs": 4},
    "deep": {"epochs": 3},
    "fcn": {"epochs": 2, "model.widths": (8, 16, 16, 16, 16, 16, 24)},
}


def _nine(
    scale: str, rate: float, shared: dict[str, Any], own: dict[str, dict[str, Any]]
) -> tuple[Spec, ...]:
    """List the nine models, which the paper does not: best settings, a tenth of the rate, a seed.

    They are fixed before any is trained, so that no ensemble chooses its members on test faces.
    """
    specs = []
    for short, name in NETWORKS.items():
        changes = {
            "data.protocol": "official-clean", "optim.learning_rate": rate, **shared,
            **own.get(short, {}),
        }
        slow = {**changes, "optim.learning_rate": rate / 10}
        config = f"configs/{name}.py:{scale}"
        specs += [
            Spec(short, config, changes),
            Spec(f"{short}_slow", config, slow),
            Spec(f"{short}_seed", config, changes, seeds=(1,)),
        ]
    return tuple(specs)


EXPERIMENT = Experiment(
    name="bokanyi2021",
    title="Ensembles of three convolutional networks (Bokanyi & Meszegeto) on FER2013",
    paper="bokanyi",
    specs={
        "cpu": _nine("small", 3e-3, TESTED, CPU),
        "full": _nine("as_printed", 1e-2, {}, {}),
    },
    combined=("test", "private"),
)

if __name__ == "__main__":
    raise SystemExit(command(EXPERIMENT))
