"""Name the emotions of faces with a trained network: `Recognizer.load(PATH)(images)`."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from fer_jax.data.fit_faces import fit_faces
from fer_jax.errors import UserError
from fer_jax.ops.noise_level import noise_level
from fer_jax.trained import answer_of, has_dae, load_trained, reconstruct_of

# Faces a program is compiled for; what is left over is padded to the least that holds it.
BATCHES = (1, 8, 64)


class Recognized(NamedTuple):
    """What a network says of n faces, one entry a face in every array."""

    emotion: np.ndarray  # i32 [n], index into the labels: the most probable class
    probabilities: np.ndarray  # f32 [n, k], in the labels' order; rows sum to 1
    noise: np.ndarray  # f32 [n], `ops.noise_level` of the face as resized, 0..1


@dataclasses.dataclass(frozen=True, eq=False)
class Recognizer:
    """A trained network, ready for faces of any size.

    Attributes:
      labels: names of the classes, such as `("angry", "disgust", ...)`.
      image_shape: `(h, w, c)` to which faces are made: `(48, 48, 1)` after FER2013.
      config: the config of the run, as plain JSON values.
      card: the model card as plain JSON values: data, protocol, seed, accuracies.
      answer: faces u8 `[b, h, w, c]` of `image_shape` to probabilities f32 `[b, k]`; None for a
        DAE alone.
      reconstruct: the same faces to what the DAE makes of them, f32 in 0..1; None without a DAE.
    """

    labels: tuple[str, ...]
    image_shape: tuple[int, int, int]
    config: dict[str, Any]
    card: dict[str, Any]
    answer: Callable[[np.ndarray], jax.Array] | None
    reconstruct: Callable[[np.ndarray], jax.Array] | None

    @staticmethod
    def load(path: Path | str | None = None) -> "Recognizer":
        """Open a finished run's workdir, an exported .safetensors, or the shipped model for None.

        Raises:
          UserError: there is no such model, it is not finished, damaged or of another version.
        """
        trained = load_trained(path)
        variables = jax.device_put(trained.variables)
        answer, reconstruct = (
            # Bound after the compilation: as constants the weights would be compiled in.
            _bind(jax.jit(function), variables)
            for function in (answer_of(trained), reconstruct_of(trained))
        )
        return Recognizer(
            labels=trained.labels,
            image_shape=trained.image_shape,
            config=trained.config.to_dict(),
            card=trained.card,
            answer=answer if trained.config.task == "classify" else None,
            reconstruct=reconstruct if has_dae(trained) else None,
        )

    def __call__(self, images: np.ndarray | Sequence[np.ndarray]) -> Recognized:
        """Recognize faces: u8 `[n, h, w]` or `[n, h, w, 3]` of any size, or a list of u8 arrays.

        The arrays of a list, `[h, w]` or `[h, w, 3]`, may be of various sizes. Colour becomes grey
        by the weights of ITU-R 601, and each face is resized as `data.fit_faces` says.

        Raises:
          UserError: the model is a DAE alone, which names no emotion.
          ValueError: the images are of another dtype or shape.
        """
        if self.answer is None:
            raise UserError("this model is a DAE alone, which names no emotion; load a classifier")
        faces = fit_faces(images, shape=self.image_shape)
        probabilities = _in_batches(self.answer, faces, tail=(len(self.labels),))
        noise = _in_batches(_noise_level, faces, tail=())
        return Recognized(probabilities.argmax(1).astype(np.int32), probabilities, noise)

    def denoise(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Give what the DAE makes of faces, f32 `[n, h, w, c]` in 0..1; takes what a call takes.

        Raises:
          UserError: the network has no DAE.
          ValueError: the images are of another dtype or shape.
        """
        if self.reconstruct is None:
            raise UserError(
                f"a {self.config['model']['name']} has no DAE; load a hybrid or a DAE to denoise"
            )
        faces = fit_faces(images, shape=self.image_shape)
        return _in_batches(self.reconstruct, faces, tail=self.image_shape)


def _in_batches(
    function: Callable[[np.ndarray], jax.Array], faces: np.ndarray, *, tail: tuple[int, ...]
) -> np.ndarray:
    """Apply a function of batches to faces `[n, h, w, c]`, padding the last batch.

    `tail` is the shape of an entry where there is no face.
    """
    done, start = [], 0
    while start < len(faces):
        left = len(faces) - start
        size = next((size for size in BATCHES if size >= left), BATCHES[-1])
        batch = faces[start : start + size]
        padding = np.zeros((size - len(batch), *faces.shape[1:]), faces.dtype)
        done.append(np.asarray(function(np.concatenate([batch, padding])))[: len(batch)])
        start += size
    return np.concatenate(done) if done else np.zeros((0, *tail), np.float32)


def _bind(function: Callable, variables: dict[str, Any]) -> Callable[[np.ndarray], jax.Array]:
    return lambda images: function(variables, images)


@jax.jit
def _noise_level(images: jax.Array) -> jax.Array:
    return noise_level(images.astype(np.float32) / 255)
