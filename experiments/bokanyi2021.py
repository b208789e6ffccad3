"""Bokanyi & Meszegeto: nine models of three networks, and their ensembles; figures 1-5."""

from typing import Any

from experiments.harness import Experiment, Spec, command

NETWORKS = {"shallow": "alizadeh_shallow", "deep": "alizadeh_deep", "fcn": "agrawal_fcn"}


def _nine(scale: str, rate: float, changes: dict[str, Any]) -> tuple[Spec, ...]:
    """List the nine models, which the paper does not: best settings, a tenth of the rate, a seed.

    They are fixed before any is trained, so that no ensemble chooses its members on test faces.
    """
    changes = {"data.protocol": "official-clean", "optim.learning_rate": rate, **changes}
    slow = {**changes, "optim.learning_rate": rate / 10}
    specs = []
    for short, name in NETWORKS.items():
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
        "cpu": _nine("small", 3e-3, {"epochs": 4}),
        "full": _nine("as_printed", 1e-2, {}),
    },
    combined=True,
)

if __name__ == "__main__":
    raise SystemExit(command(EXPERIMENT))
