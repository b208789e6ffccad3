"""Flags that several commands share: which faces, distorted how."""

import math
from typing import Any

from fer_jax.arguments import Parser
from fer_jax.data.splits import SPLITS
from fer_jax.errors import UsageError, suggest

# What ops.distortion and preprocess have by these names: they take a second to import, which
# nobody should wait for who asks for help. A test holds the two lists together.
DISTORTIONS = ("random_grey", "gaussian", "salt_pepper", "blur")
VIEWS = ("plain", "flip", "ten_crop")
AVERAGES = ("probabilities", "logits")


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
    from fer_jax.ops.distortion import check_strength

    try:
        check_strength(name, value)
    except ValueError as error:
        raise UsageError(f"--distortion={text}: {error}; write it like {name}:0.3") from None
    return name, value


def add_faces(parser: Parser) -> None:
    """Add the flags that say on which faces models are evaluated."""
    parser.add_argument(
        "--data_dir", help="folder of the prepared datasets (default: $FER_JAX_DATA, else ./data)"
    )
    parser.add_argument("--split", default="test", help=f"{', '.join(SPLITS)} (default: test)")
    parser.add_argument(
        "--distortion", default="clean", metavar="NAME:STRENGTH",
        help=f"{', '.join(DISTORTIONS)} with a strength, or clean (default)",
    )


def read_faces(arguments: Any, *, fitted: bool = True) -> dict[str, Any]:
    """Read what `add_faces` added: split, distortion and strength.

    Raises:
      UsageError: there is no such split or distortion, or something is `fitted` and the split is
        the one that it is fitted on.
    """
    if arguments.split not in SPLITS:
        raise UsageError(f"--split={arguments.split}: unknown. {suggest(arguments.split, SPLITS)}")
    if fitted and arguments.split in ("train", "validation"):
        raise UsageError(
            f"--split={arguments.split}: models are trained, and weights and temperatures fitted, "
            "on these faces, so they measure nothing; name test, public or private"
        )
    distortion, strength = parse_distortion(arguments.distortion)
    return {"split": arguments.split, "distortion": distortion, "strength": strength}
