"""Flags of `python -m fer_jax.predict`, and what it prints and draws."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_jax import files, writers
from fer_jax.arguments import Parser, check_folder
from fer_jax.data.find_faces import Box
from fer_jax.errors import UsageError, UserError, run_command, suggest
from fer_jax.pictures import Picture, expand, read_camera, read_pictures

if TYPE_CHECKING:
    from fer_jax.predict import Answer
    from fer_jax.report.tables import Table

CROPS = ("face", "center", "none")
MODEL_SUFFIXES = (".safetensors", ".onnx", ".stablehlo")
# What makes a folder a run's: results.RESULTS and results.CONFIG.
RUN_FILES = ("results.json", "config.json")


@run_command
def main(argv: list[str] | None = None) -> int:
    """Name the emotions of the faces in photos, folders, globs, videos or before a camera.

    The first path is the model if it is a run's workdir or an exported file; else the shipped
    model answers.
    """
    arguments = _parse(argv)
    model, inputs = split_model(arguments.paths)
    if not inputs and arguments.webcam is None:
        raise UsageError("name photos, folders, globs or videos to look at, or say --webcam")
    if arguments.save_dir:
        check_folder(arguments.save_dir, flag="save_dir")
    paths = expand(inputs)
    from fer_jax import host

    host.prepare_process()
    from fer_jax.predict import predict
    from fer_jax.recognizer import Recognizer

    recognizer = Recognizer.load(model)
    if recognizer.answer is None:
        raise UserError(f"{model} is a DAE alone, which names no emotion; choose a classifier")
    answers, seen, saved = [], [], set()
    # A camera's pictures are of now: what waits for the next is late.
    options = {"crop": arguments.crop, **({} if arguments.webcam is None else {"batch": 1})}
    with writers.show_progress("predict", total=len(paths), done=0) as display:
        pictures = _pictures(arguments, paths, display)
        try:
            for picture, said in predict(pictures, recognizer, **options):
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
    run = any((first / name).exists() for name in RUN_FILES)
    if run or first.suffix.lower() in MODEL_SUFFIXES:
        if first.suffix.lower() in MODEL_SUFFIXES[1:]:
            raise UserError(
                f"{first}: predict reads .safetensors and workdirs; docs/export.md says how a "
                f"{first.suffix} is run without fer_jax"
            )
        return first, paths[1:]
    return None, paths


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
    folder: Path, picture: Picture, said: list["Answer"], recognizer: Any, *, taken: set[str]
) -> None:
    from fer_jax.report.annotated import Annotation, annotate, file_name

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


def _print(answers: list["Answer"], recognizer: Any, arguments: Any) -> None:
    from fer_jax.predict import as_row

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
        from fer_jax.report.terminal import print_table

        print_table(_table(answers, recognizer.labels))


def _table(answers: list["Answer"], labels: tuple[str, ...]) -> "Table":
    from fer_jax.report.tables import Table

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


def _say_live(picture: Picture, said: list["Answer"]) -> None:
    faces = ", ".join(f"{a.emotion} {100 * max(a.probabilities):.0f} %" for a in said)
    print(f"{picture.second:7.1f} s  {faces or 'no face'}", file=sys.stderr, flush=True)


def _sum_up(seen: list[Picture], answers: list["Answer"], arguments: Any) -> int:
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
