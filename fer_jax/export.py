"""Write a trained network as one file that runs elsewhere: StableHLO, ONNX or safetensors."""

from fer_jax.commands.export import main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

import contextlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fer_jax import files, model_file
from fer_jax.errors import UserError
from fer_jax.export_onnx import to_onnx
from fer_jax.report.model_card import write_card
from fer_jax.trained import Trained, answer_of

# What the StableHLO is lowered for; it runs where JAX runs on any of them.
PLATFORMS = ("cpu", "cuda", "tpu")
STABLEHLO, LABELS, CARD = "model.stablehlo", "labels.json", "card.md"


def to_stablehlo(trained: Trained) -> bytes:
    """Give a zip of `model.stablehlo`, which `jax.export.deserialize` reads, labels and card.

    Its one function takes faces u8 `[n, h, w, c]`, any n, and gives probabilities f32 `[n, k]`; the
    weights are inside.
    """
    variables = jax.tree.map(np.asarray, trained.variables)
    (n,) = jax.export.symbolic_shape("n")
    faces = jax.ShapeDtypeStruct((n, *trained.image_shape), jnp.uint8)
    function = jax.jit(partial(answer_of(trained), variables))
    with _without_places():
        program = jax.export.export(function, platforms=PLATFORMS)(faces).serialize()
    held = {
        STABLEHLO: bytes(program),
        LABELS: json.dumps(trained.labels).encode(),
        CARD: write_card(trained.card).encode(),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            # A date of its own would make two exports of one model differ.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def write_model(path: Path, trained: Trained, *, format: str, dtype: str = "float32") -> None:
    """Write a trained network at `path` in one of FORMATS, whole or not at all.

    `dtype` is that of the parameters in safetensors; the others keep float32.

    Raises:
      UserError: the network names no emotion, or a package or operation is missing.
      OSError: the file cannot be written.
    """
    if format == "safetensors":
        model_file.save(path, trained, dtype=dtype)
        return
    if trained.config.task != "classify":
        raise UserError(
            f"a {trained.config.model.name} names no emotion, which {format} is written for; "
            "choose --format=safetensors or a classifier"
        )
    data = FORMATS[format].make(trained)
    with files.replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def _without_places() -> Iterator[None]:
    """Let programs not say in which file of this machine each operation was written."""
    name = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)


class Format(NamedTuple):
    """A kind of file: its suffix, and what makes its bytes; safetensors is written by itself."""

    suffix: str
    make: Callable[[Trained], bytes] | None = None


FORMATS = {
    "stablehlo": Format(".stablehlo", to_stablehlo),
    "onnx": Format(".onnx", lambda trained: to_onnx(trained, card=write_card(trained.card))),
    "safetensors": Format(".safetensors"),
}
