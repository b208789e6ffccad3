"""Gao: separable convolutions with squeeze-and-excitation; its table 1 and figures 1, 2, 7-10."""

from experiments.harness import Experiment, Spec, command

CONFIG = "configs/se_separable.py"
CLEAN = {"data.protocol": "official-clean"}
# The paper's draw: 80 % of all faces for training, the rest shared by validation and test.
DRAWN = {"data.protocol": "ratio:80-10-10"}

EXPERIMENT = Experiment(
    name="gao2021",
    title="Separable convolutions with squeeze-and-excitation (Gao) on FER2013",
    paper="gao",
    specs={
        "cpu": (
            Spec("se_separable", f"{CONFIG}:small", CLEAN),
            Spec("drawn", f"{CONFIG}:small", DRAWN),
        ),
        "full": (
            Spec("se_separable", CONFIG, CLEAN, seeds=(0, 1, 2)),
            Spec("drawn", CONFIG, DRAWN),
            Spec("as_printed", f"{CONFIG}:as_printed"),
        ),
    },
)

if __name__ == "__main__":
    raise SystemExit(command(EXPERIMENT))
