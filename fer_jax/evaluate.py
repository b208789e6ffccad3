"""Evaluate a model over a whole split; as a command, add an evaluation to a run's results."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from fer_jax import metrics, processes
from fer_jax.arguments import Parser
from fer_jax.data import Split
from fer_jax.data.splits import SPLITS
from fer_jax.errors import UsageError, run_command, suggest
from fer_jax.metrics import Confusion
from fer_jax.ops.distortion import DISTORTIONS, check_strength
from fer_jax.preprocess import AVERAGES, VIEWS, Preprocess, prepare
from fer_jax.sharding import put, split_batch
from fer_jax.steps import Batch, eval_step, to_unit


class Padded(NamedTuple):
    """A split on the devices in whole batches `[steps, b, ...]`; `mask` is false on padding."""

    batch: Batch
    keys: jax.Array
    mask: jax.Array


def evaluate(
    variables: dict[str, Any],
    padded: Padded,
    *,
    model: nn.Module,
    views: str = "plain",
    average: str = "probabilities",
    preprocess: Preprocess = Preprocess(),
    distortion: str = "clean",
    strength: float = 0.0,
    seed: int = 0,
    denoises: bool = False,
    classes: int = 7,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Confusion, np.ndarray]:
    """Evaluate every face of a split once.

    Each face is distorted by its own draw, keyed by the seed and the face's pixels: the same for
    every model, layout and batch size. `advance` is called after each batch.

    Returns the confusion over all faces, and the probabilities `[n, k]` in the split's order
    (`[n, 0]` with `denoises`).
    """
    totals, probabilities = metrics.empty(classes), []
    for i in range(padded.mask.shape[0]):
        confusion, some = _evaluate_batch(
            variables, padded, i, strength, seed,
            model=model, views=views, average=average, preprocess=preprocess,
            distortion=distortion, denoises=denoises, classes=classes,
        )
        # Not inside the program: totals placed otherwise than its output would compile it twice.
        totals += confusion
        probabilities.append(processes.fetch(some))
        advance()
    return totals, np.concatenate(probabilities)[processes.fetch(padded.mask).ravel()]


def pad_split(split: Split, mesh: Mesh, *, batch_size: int) -> Padded:
    """Put a split on the devices in batches of `batch_size`, rounded up to share evenly."""
    batch_size = -(-batch_size // mesh.size) * mesh.size
    n = len(split.labels)
    steps = -(-n // batch_size)

    def batches(array):
        padding = np.zeros((steps * batch_size - n, *array.shape[1:]), array.dtype)
        return np.concatenate([array, padding]).reshape(steps, batch_size, *array.shape[1:])

    padded = Padded(
        Batch(batches(split.images), batches(split.labels)),
        batches(split.keys),
        batches(np.ones(n, bool)),
    )
    return put(padded, split_batch(mesh, axis=1))


@partial(jax.jit, static_argnames=("model", "preprocess"))
def reconstruct(
    variables: dict[str, Any],
    images: jax.Array,
    *,
    model: nn.Module,
    preprocess: Preprocess = Preprocess(),
) -> jax.Array:
    """Denoise faces `[b, h, w, c]`, u8 or 0..1, with a model that has a DAE; gives 0..1."""
    seen = prepare_faces(images, preprocess=preprocess)
    return model.apply(variables, seen, train=False)[1]["recon"]


def prepare_faces(images: jax.Array, *, preprocess: Preprocess = Preprocess()) -> jax.Array:
    """Turn stored faces `[b, h, w, c]`, u8 or 0..1, into what a network sees in testing."""
    unit = to_unit(images) if images.dtype == jnp.uint8 else images
    return prepare(unit, preprocess=preprocess)


def draw_keys(seed: jax.Array, face_keys: jax.Array) -> jax.Array:
    """Make the test-time keys `[b]` of faces from the seed and their u32 pixel hashes `[b]`."""
    return jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(face_keys)


@partial(
    jax.jit,
    static_argnames=(
        "model", "views", "average", "preprocess", "distortion", "denoises", "classes"
    ),
)
def _evaluate_batch(variables, padded, i, strength, seed, **static):
    batch, face_keys, mask = jax.tree.map(lambda array: array[i], padded)
    keys = draw_keys(seed, face_keys)
    return eval_step(variables, batch, mask, keys, strength, **static)


def parse_distortion(text: str) -> tuple[str, float]:
    """Read `NAME:STRENGTH` or `clean`.

    Raises:
      UsageError: an unknown name (the known ones are listed), or a strength that is missing, no
        number or out of range.
    """
    name, _, strength = text.partition(":")
    if text == "clean":
        return name, 0.0
    if name == "clean":
        raise UsageError(f"--distortion={text} has a strength; clean faces have none, write clean")
    if name not in DISTORTIONS:
        raise UsageError(f"unknown distortion {name!r}. {suggest(name, ['clean', *DISTORTIONS])}")
    try:
        value = float(strength)
    except ValueError:
        value = math.nan
    try:
        check_strength(name, value)
    except ValueError as error:
        raise UsageError(f"--distortion={text}: {error}; write it like {name}:0.3") from None
    return name, value


# What --suite has flags for, with what each is without one.
SUITE_FLAGS = {
    "draws": (10, "draws of each random corruption"),
    "faces": ("all", "only so many faces, evenly spread over the split"),
    "reference": ("the study's plain VGG", "workdir of the run whose errors are 100 %%"),
    "filter": ("none", "median:SIZE or nlm:H in front of the classifier"),
}


@run_command
def main(argv: list[str] | None = None) -> None:
    """Evaluate the run in a workdir and add what comes out to its results and report."""
    parser = Parser("fer_jax.evaluate", main.__doc__)
    parser.add_argument("--workdir", type=Path, required=True, help="of a finished run")
    parser.add_argument(
        "--data_dir", help="folder of the prepared datasets (default: $FER_JAX_DATA, else ./data)"
    )
    parser.add_argument("--split", default="test", help=f"{', '.join(SPLITS)} (default: test)")
    parser.add_argument(
        "--distortion", default="clean", metavar="NAME:STRENGTH",
        help=f"{', '.join(DISTORTIONS)} with a strength, or clean (default)",
    )
    parser.add_argument("--views", default="plain", help=f"{', '.join(VIEWS)} (default: plain)")
    parser.add_argument(
        "--average", default="probabilities",
        help=f"what is averaged over the views: {', '.join(AVERAGES)} (default: probabilities)",
    )
    parser.add_argument(
        "--probabilities", type=Path, metavar="OUT.npz",
        help="write row ids, labels and probabilities there",
    )
    parser.add_argument(
        "--suite", metavar="fer2013-c", help="evaluate under all of its corruptions instead"
    )
    for name, (default, meaning) in SUITE_FLAGS.items():
        parser.add_argument(f"--{name}", help=f"with --suite: {meaning} (default: {default})")
    arguments = parser.parse_args(argv)
    distortion, strength = parse_distortion(arguments.distortion)
    for name, value, known in (
        ("split", arguments.split, SPLITS), ("views", arguments.views, VIEWS),
        ("average", arguments.average, AVERAGES),
    ):
        if value not in known:
            raise UsageError(f"--{name}={value}: unknown. {suggest(value, known)}")
    for name in SUITE_FLAGS:
        if not arguments.suite and getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for a suite; add --suite=fer2013-c")
    # Here and not above: a finished run evaluates, so it imports this module.
    from fer_jax import host

    host.prepare_process()
    if arguments.suite:
        from fer_jax.suite import run_suite

        run_suite(arguments)
        return
    from fer_jax.finished import add_evaluation

    evaluation = add_evaluation(
        arguments.workdir,
        data_dir=arguments.data_dir,
        split=arguments.split,
        views=arguments.views,
        average=arguments.average,
        distortion=distortion,
        strength=strength,
        probabilities_path=arguments.probabilities,
    )
    value = evaluation["accuracy"]
    score = "" if value is None else f", accuracy {value:.4f}"
    loss = "nan" if evaluation["loss"] is None else f"{evaluation['loss']:.4f}"
    print(f"{arguments.split} {arguments.distortion}: loss {loss}{score}")
    for alarm in evaluation["alarms"]:
        print(f"alarm: {alarm}")


if __name__ == "__main__":
    raise SystemExit(main())
