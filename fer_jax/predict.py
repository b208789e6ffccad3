"""Name the emotions of the faces in photos and videos; as a command, print or draw them."""

from fer_jax.commands.predict import main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fer_jax.data.find_faces import Box, centre_square, cut, find_faces, square_around
from fer_jax.pictures import Picture

BATCH = 64  # faces that the network is asked about at once, of however many pictures
WAITING = 1 << 28  # bytes of pictures that wait for that at most


class Cut(NamedTuple):
    """A face cut out of a picture: u8 `[h, w, 3]`, and its box in the picture's own pixels."""

    picture: Picture
    order: int  # of the face in its picture, from 0, the largest first
    box: Box
    pixels: np.ndarray


class Answer(NamedTuple):
    """What the network says of one face."""

    cut: Cut
    emotion: str
    probabilities: tuple[float, ...]  # in the labels' order
    noise: float  # `ops.noise_level` of the face as the network sees it, 0..1


def predict(
    pictures: Iterable[Picture], recognizer: Any, *, crop: str = "face", batch: int = BATCH
) -> Iterator[tuple[Picture, list[Answer]]]:
    """Look at pictures one by one; give each one with the list of its faces' Answers.

    Faces of several pictures go to the network together, about `batch` at once; with 1 no picture
    waits for the next. `crop` is "face" (every face that is
    found), "center" (the largest square in the centre) or "none" (the whole picture, stretched).

    Raises:
      UserError: the detector's package is not installed.
    """
    waiting: list[tuple[Picture, list[Cut]]] = []
    for picture in pictures:
        waiting.append((picture, cut_faces(picture, crop=crop)))
        held = sum(one.photo.pixels.nbytes for one, _ in waiting if one.photo is not None)
        faces = sum(len(cuts) for _, cuts in waiting)
        if max(faces, len(waiting)) >= batch or held > WAITING:
            yield from _answer(waiting, recognizer)
            waiting = []
    yield from _answer(waiting, recognizer)


def cut_faces(picture: Picture, *, crop: str) -> list[Cut]:
    """Cut out of a picture what the network shall see; nothing where it could not be read."""
    photo = picture.photo
    if photo is None:
        return []
    height, width = photo.pixels.shape[:2]
    boxes = {
        "face": lambda: [square_around(box, (height, width)) for box in find_faces(photo)],
        "center": lambda: [centre_square((height, width))],
        "none": lambda: [Box(0, 0, width, height)],
    }[crop]()
    return [
        Cut(picture, order, Box(*(round(v * photo.scale) for v in box)), cut(photo.pixels, box))
        for order, box in enumerate(boxes)
    ]


def as_row(answer: Answer, labels: tuple[str, ...]) -> dict[str, Any]:
    """Give an answer as the columns of the CSV."""
    picture, box = answer.cut.picture, answer.cut.box
    return {
        "file": picture.file,
        "second": picture.second,
        "face": answer.cut.order,
        **box._asdict(),
        "emotion": answer.emotion,
        **{name: round(p, 6) for name, p in zip(labels, answer.probabilities, strict=True)},
        "noise": round(answer.noise, 6),
    }


def _answer(waiting: list[tuple[Picture, list[Cut]]], recognizer: Any) -> Iterator[Any]:
    cuts = [one for _, found in waiting for one in found]
    said = recognizer([one.pixels for one in cuts])
    answers = iter([
        Answer(
            one, recognizer.labels[said.emotion[i]], tuple(map(float, said.probabilities[i])),
            float(said.noise[i]),
        )
        for i, one in enumerate(cuts)
    ])
    for picture, found in waiting:
        yield picture, [next(answers) for _ in found]
