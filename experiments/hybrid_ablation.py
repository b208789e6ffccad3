"""Which part of the hybrids does the work: all of them, and a VGG with noise instead of a DAE."""

from typing import Any

from experiments.harness import Experiment, Spec, command
from experiments.scales import EIGHTH, TESTED

SEEDS = (0, 1, 2)
NOISY = {"train_distortion": 0.5}  # of each batch, as finetune and multitask have it
# Each classifier: its config without the scale, what is changed in it, and what it starts from.
CLASSIFIERS = {
    "vgg": ("configs/vgg.py:", {}, {}),
    "vgg_noisy": ("configs/vgg.py:", NOISY, {}),
    "A": ("configs/vgg_dae.py:A,", {}, {"dae": "runs.dae"}),
    "A_noisy": ("configs/vgg_dae.py:A,", NOISY, {"dae": "runs.dae"}),
    "B": ("configs/vgg_dae.py:B,", {}, {}),
    "finetune": ("configs/vgg_dae.py:finetune,", {}, {"dae": "runs.dae"}),
    "multitask": ("configs/vgg_dae.py:multitask,", {}, {}),
    # A DAE put in front of a VGG that was trained without it; nothing is trained.
    "in_front": ("configs/vgg_dae.py:in_front,", {"epochs": 0},
                 {"dae": "runs.dae", "vgg": "runs.vgg"}),
}
CPU = {**EIGHTH, **TESTED}


def _repaired(scale: str, shared: dict[str, Any], dae: dict[str, Any]) -> tuple[Spec, ...]:
    """List the DAE and the classifiers with settings that train."""
    return (
        Spec("dae", f"configs/dae.py:{scale}", dae, seeds=SEEDS),
        *(
            Spec(name, f"{config}{scale}", shared | changes, init, SEEDS)
            for name, (config, changes, init) in CLASSIFIERS.items()
        ),
    )


def _as_printed(shared: dict[str, Any], seeds: tuple[int, ...]) -> tuple[Spec, ...]:
    """List the same with table 1's, but on the DAE that trains: the printed one collapses."""
    own = {"runs.dae": "runs.dae", "runs.vgg": "runs.vgg_as_printed"}
    return tuple(
        Spec(f"{name}_as_printed", f"{config}as_printed", shared | changes,
             {part: own[run] for part, run in init.items()}, seeds)
        for name, (config, changes, init) in CLASSIFIERS.items()
    )


EXPERIMENT = Experiment(
    name="hybrid_ablation",
    title="Hybrids of a denoising autoencoder and a VGG, and noise in training instead",
    paper="",
    specs={
        "cpu": (
            *_repaired("small", {**CPU, "epochs": 4}, {**TESTED, "epochs": 8}),
            *_as_printed({**CPU, "epochs": 1}, SEEDS[:1]),
        ),
        "full": (*_repaired("repaired", {}, {}), *_as_printed({}, SEEDS)),
    },
    baseline="vgg",
)

if __name__ == "__main__":
    raise SystemExit(command(EXPERIMENT))
