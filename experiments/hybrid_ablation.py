"""Which part of the hybrids does the work: all of them, and a VGG with noise instead of a DAE."""

from experiments.harness import Experiment, Spec, command

SEEDS = (0, 1, 2)
HYBRIDS = {
    "A": {"dae": "runs.dae"},
    "B": {},
    "finetune": {"dae": "runs.dae"},
    "multitask": {},
    # A DAE put in front of a VGG that was trained without it; nothing is trained.
    "in_front": {"dae": "runs.dae", "vgg": "runs.vgg"},
}


def _all(scale: str, seeds: tuple[int, ...], *, suffix: str = "") -> tuple[Spec, ...]:
    return (
        Spec(f"dae{suffix}", f"configs/dae.py:{scale}", seeds=seeds),
        Spec(f"vgg{suffix}", f"configs/vgg.py:{scale}", seeds=seeds),
        Spec(f"vgg_noisy{suffix}", f"configs/vgg.py:{scale}", {"train_distortion": 0.5},
             seeds=seeds),
        *(
            Spec(f"{name}{suffix}", f"configs/vgg_dae.py:{name},{scale}",
                 init={part: f"{run}{suffix}" for part, run in init.items()}, seeds=seeds)
            for name, init in HYBRIDS.items()
        ),
    )


EXPERIMENT = Experiment(
    name="hybrid_ablation",
    title="Hybrids of a denoising autoencoder and a VGG, and noise in training instead",
    paper="",
    specs={
        "cpu": _all("small", (0,)),
        "full": _all("repaired", SEEDS),
    },
)

if __name__ == "__main__":
    raise SystemExit(command(EXPERIMENT))
