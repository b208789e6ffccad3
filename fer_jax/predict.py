"""Name the emotions of the faces in photos and videos; as a command, print or draw them."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from fer_jax import files, results, writers
from fer_jax.arguments import Parser, check_folder
from fer_jax.data.find_faces import Box, centre_square, cut, find_faces, square_around
from fer_jax.errors import UsageError, UserError, run_command, suggest
from fer_jax.pictures import Picture, expand, read_camera, read_pictures
from fer_jax.report.annotated import Annotation, annotate, file_name
from fer_jax.report.tables import Table
from fer_jax.report.terminal import print_table

CROPS = ("face", "center", "none")
BATCH = 64  # faces that the network is asked about at once, of however many pictures
MODEL_SUFFIXES = (".safetensors", ".onnx", ".stablehlo")


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


def predict(pictures: Iterable[Picture], recognizer: Any, *, crop: str = "face") -> Iterator[Any]:
    """Look at pictures one by one; give each picture's list of Answers as (picture, answers).

    Faces of several pictures go to the network together. `crop` is "face" (every face that is
    found), "center" (the largest square in the centre) or "none" (the whole picture, stretched).

    Raises:
      UserError: the detector's package is not installed.
    """
    waiting: list[tuple[Picture, list[Cut]]] = []
    for picture in pictures:
        waiting.append((picture, cut_faces(picture, crop=crop)))
        # A camera's pictures are of now: what waits for more is late.
        if sum(len(cuts) for _, cuts in waiting) >= BATCH or len(waiting) >= BATCH:
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


@run_command
def main(argv: list[str] | None = None) -> int:
    """Name the emotions of the faces in photos, folders, globs, videos or before a camera.

    The first path is the model if it is a run's workdir or an exported file; else the shipped
    model answers.
    """
    arguments = _parse(argv)
    from fer_jax import host

    host.prepare_process()
    from fer_jax.recognizer import Recognizer

    model, inputs = split_model(arguments.paths)
    if not inputs and arguments.webcam is None:
        raise UsageError("name photos, folders, globs or videos to look at, or say --webcam")
    if arguments.save_dir:
        check_folder(arguments.save_dir, flag="save_dir")
    paths = expand(inputs)
    recognizer = Recognizer.load(model)
    if recognizer.answer is None:
        raise UserError(f"{model} is a DAE alone, which names no emotion; choose a classifier")
    answers, seen, saved = [], [], set()
    with writers.show_progress("predict", total=len(paths), done=0) as display:
        pictures = _pictures(arguments, paths, display)
        try:
            for picture, said in predict(pictures, recognizer, crop=arguments.crop):
                seen.append(_forget(picture))
                answers += [a._replace(cut=a.cut._replace(picture=seen[-1])) for a in said]
                if arguments.save_dir and said:
                    _save(arguments.save_dir, picture, said, recognizer, taken=saved)
                if arguments.webcam is not None:
                    _say_live(picture, said)
        except KeyboardInterrupt:
            # How a camera is ended; files can be asked again.
            if arguments.webcam is None:
                raise
    _print(answers, recognizer, arguments)
    return _sum_up(seen, answers, arguments)


def split_model(paths: list[str]) -> tuple[Path | None, list[str]]:
    """Tell whether the first path is a model: (its path or None, the other paths)."""
    if not paths:
        return None, []
    first = Path(paths[0]).expanduser()
    run = any((first / name).exists() for name in (results.RESULTS, results.CONFIG))
    if run or first.suffix.lower() in MODEL_SUFFIXES:
        if first.suffix.lower() in MODEL_SUFFIXES[1:]:
            raise UserError(
                f"{first}: predict reads .safetensors and workdirs; docs/export.md says how a "
                f"{first.suffix} is run without fer_jax"
            )
        return first, paths[1:]
    return None, paths


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


def _pictures(arguments: Any, paths: list[Path], display: Any) -> Iterator[Picture]:
    for path in paths:
        yield from read_pictures(path, every=arguments.every)
        display.advance(1, path.name[-24:])
    if arguments.webcam is not None:
        yield from read_camera(arguments.webcam, every=arguments.every, frames=arguments.frames)


def _forget(picture: Picture) -> Picture:
    """Keep what is said of a picture, and not its pixels: there may be many."""
    if picture.photo is None:
        return picture
    return picture._replace(photo=picture.photo._replace(pixels=np.zeros((0, 0, 3), np.uint8)))


def _save(
    folder: Path, picture: Picture, said: list[Answer], recognizer: Any, *, taken: set[str]
) -> None:
    denoised = [None] * len(said)
    if recognizer.reconstruct is not None:
        denoised = list(recognizer.denoise([answer.cut.pixels for answer in said]))
    annotations = [
        Annotation(a.cut.box, a.emotion, a.probabilities, a.noise, a.cut.pixels, clean)
        for a, clean in zip(said, denoised, strict=True)
    ]
    image = annotate(
        picture.photo.pixels, annotations, labels=recognizer.labels, scale=picture.photo.scale,
        shape=recognizer.image_shape,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with files.replacing(folder / file_name(picture.name, taken)) as file:
        image.save(file, "PNG")


def _print(answers: list[Answer], recognizer: Any, arguments: Any) -> None:
    rows = [as_row(answer, recognizer.labels) for answer in answers]
    if arguments.json:
        said = {"model": recognizer.card.get("run"), "labels": recognizer.labels, "faces": rows}
        print(json.dumps(said, indent=1, allow_nan=False))
    elif arguments.csv:
        columns = ["file", "second", "face", *Box._fields, "emotion", *recognizer.labels, "noise"]
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    elif answers and arguments.webcam is None:
        print_table(_table(answers, recognizer.labels), console=Console())


def _table(answers: list[Answer], labels: tuple[str, ...]) -> Table:
    rows = []
    for answer in answers:
        first, second = np.argsort(answer.probabilities)[::-1][:2]
        box = answer.cut.box
        rows.append((
            _shorten(answer.cut.picture.name, 26), f"{box.width}x{box.height}+{box.left}+{box.top}",
            answer.emotion, f"{100 * answer.probabilities[first]:.0f} %",
            f"{labels[second]} {100 * answer.probabilities[second]:.0f} %", f"{answer.noise:.3f}",
        ))
    return Table(
        title=f"{len(answers)} face{'s' * (len(answers) != 1)}",
        columns=("file", "box", "emotion", "sure", "next", "noise"), rows=rows,
        notes=("Noise: estimated standard deviation in the face at the network's size, of 0..1.",),
    )


def _shorten(name: str, width: int) -> str:
    # A file's name may hold anything, line ends and terminals' commands too.
    plain = "".join(c if c.isprintable() else "?" for c in Path(name).name)
    return plain if len(plain) <= width else f"…{plain[1 - width:]}"


def _say_live(picture: Picture, said: list[Answer]) -> None:
    faces = ", ".join(f"{a.emotion} {100 * max(a.probabilities):.0f} %" for a in said)
    print(f"{picture.second:7.1f} s  {faces or 'no face'}", file=sys.stderr, flush=True)


def _sum_up(seen: list[Picture], answers: list[Answer], arguments: Any) -> int:
    """Tell on stderr what was skipped and noted; 1 where nothing at all could be looked at."""
    problems = [picture for picture in seen if picture.problem]
    looked_at = [picture for picture in seen if not picture.problem]
    with_face = {answer.cut.picture.name for answer in answers}
    without = [picture.name for picture in looked_at if picture.name not in with_face]
    notes = [f"{p.name}: {'; '.join(p.photo.notes)}" for p in looked_at if p.photo.notes]
    _list(notes, f"{len(notes)} of {len(seen)} pictures were changed to be read")
    _list(without, f"no face was found in {len(without)} of {len(looked_at)} pictures")
    if without and arguments.crop == "face" and not answers:
        print("  where a picture is a face and nothing else, say --crop=center", file=sys.stderr)
    skipped = [f"{picture.name}: {picture.problem}" for picture in problems]
    _list(skipped, f"skipped {len(problems)} of {len(seen)}")
    if seen and not looked_at:
        raise UserError("none of what was named could be read")
    if arguments.save_dir and answers:
        print(f"annotated pictures: {arguments.save_dir}", file=sys.stderr)
    return 0


def _list(lines: list[str], title: str, *, most: int = 20) -> None:
    if not lines:
        return
    print(f"{title}:", file=sys.stderr)
    for line in lines[:most]:
        print(f"  {line}", file=sys.stderr)
    if len(lines) > most:
        print(f"  and {len(lines) - most} more", file=sys.stderr)


def _parse(argv: list[str] | None) -> Any:
    parser = Parser("fer_jax.predict", main.__doc__)
    parser.add_argument(
        "paths", nargs="*", metavar="[MODEL] INPUT",
        help="a workdir or exported .safetensors first, if not the shipped model; then photos, "
        "folders, globs, videos",
    )
    parser.add_argument(
        "--crop", default="face", metavar="|".join(CROPS),
        help="each face that is found (default), the centre's square, or the whole picture",
    )
    parser.add_argument("--json", action="store_true", help="print JSON alone on stdout")
    parser.add_argument("--csv", action="store_true", help="print CSV alone on stdout")
    parser.add_argument(
        "--save_dir", type=Path, metavar="DIR", help="draw each picture with its answers there"
    )
    parser.add_argument(
        "--every", type=float, default=1.0, metavar="SECONDS",
        help="look at a video's frame so often (default: 1)",
    )
    parser.add_argument(
        "--webcam", type=int, nargs="?", const=0, metavar="N",
        help="look at the camera of that number (0 by itself), until Ctrl-C",
    )
    parser.add_argument(
        "--frames", type=int, default=0, metavar="N",
        help="look at so many of the camera's frames (default: 0, without end)",
    )
    arguments = parser.parse_args(argv)
    if arguments.crop not in CROPS:
        raise UsageError(f"--crop={arguments.crop}: unknown. {suggest(arguments.crop, CROPS)}")
    if arguments.json and arguments.csv:
        raise UsageError("--json and --csv: choose one of them")
    if not 0 < arguments.every < 1e6:
        raise UsageError(f"--every={arguments.every:g}: expected seconds above 0")
    if arguments.frames < 0:
        raise UsageError(f"--frames={arguments.frames}: expected at least 0")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
