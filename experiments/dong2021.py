"""Dong 2021: VGG16 with max-pooling against local importance pooling; tables 1 and 3, figure 4."""

from experiments.harness import Experiment, Spec, command

SEEDS = (0, 1, 2)
CLEAN = {"data.protocol": "official-clean"}
# RAF-DB and SFEW are licensed to each user, so FER2013 stands in for them where they are absent.
LICENSED = (
    Spec("raf_db_vgg16", "configs/vgg16.py:raf_db", dataset="raf_db"),
    Spec("raf_db_lip", "configs/lip_vgg16.py:raf_db", dataset="raf_db"),
)


def _pools(scale: str, changes: dict[str, object]) -> tuple[Spec, ...]:
    return (
        Spec("vgg16", f"configs/vgg16.py:{scale}", {**CLEAN, **changes}, seeds=SEEDS),
        Spec("lip_vgg16", f"configs/lip_vgg16.py:{scale}", {**CLEAN, **changes}, seeds=SEEDS),
    )


EXPERIMENT = Experiment(
    name="dong2021",
    title="VGG16 with local importance pooling (Dong 2021)",
    paper="dong2021",
    specs={
        "cpu": _pools("small", {"model.width": 0.125, "model.dropout": 0.1, "epochs": 6}),
        "full": (*_pools("repaired", {}), *LICENSED),
    },
    baseline="vgg16",
)

if __name__ == "__main__":
    raise SystemExit(command(EXPERIMENT))
