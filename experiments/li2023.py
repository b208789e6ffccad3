"""Li 2023: a DAE, a plain VGG and their hybrids A and B; its tables 2-4 and figures 5-8."""

from experiments.harness import Experiment, Spec, command

SEEDS = (0, 1, 2)
FROM_DAE = {"dae": "runs.dae"}


def _study(scale: str, seeds: tuple[int, ...]) -> tuple[Spec, ...]:
    return (
        Spec("dae", f"configs/dae.py:{scale}", seeds=seeds),
        Spec("vgg", f"configs/vgg.py:{scale}", seeds=seeds),
        Spec("A", f"configs/vgg_dae.py:A,{scale}", init=FROM_DAE, seeds=seeds),
        Spec("B", f"configs/vgg_dae.py:B,{scale}", seeds=seeds),
    )


EXPERIMENT = Experiment(
    name="li2023",
    title="A VGG combined with a denoising autoencoder (Li 2023) on FER2013",
    paper="li2023",
    specs={
        "cpu": _study("small", (0,)),
        "full": (
            *_study("repaired", SEEDS),
            # Table 1 to the letter. Nothing can stand on its collapsed DAE, so there is no A.
            Spec("dae_as_printed", "configs/dae.py:as_printed"),
            Spec("vgg_as_printed", "configs/vgg.py:as_printed"),
            Spec("B_as_printed", "configs/vgg_dae.py:B,as_printed"),
        ),
    },
)

if __name__ == "__main__":
    raise SystemExit(command(EXPERIMENT))
