"""The figures of an experiment's page: find each one's pictures, and say why one is missing."""

import re
from html import escape
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from experiments.paper_figures import PaperFigure
from experiments.seeds import by_spec
from fer_jax.report.results import Study

DENSITY = 2  # pixels of a PNG of the report to one of the screen


class Shown(NamedTuple):
    """A figure of a page.

    Attributes:
      figure: what it stands beside.
      pictures: those of ours that there are, by path below the experiment's folder.
      missing: why others are not there.
      runs: what the pictures are of, for the caption.
    """

    figure: PaperFigure
    pictures: tuple[Path, ...]
    missing: tuple[str, ...]
    runs: tuple[str, ...]


def resolve(
    figures: tuple[PaperFigure, ...], study: Study, workdir: Path, reasons: dict[str, str]
) -> list[Shown]:
    """Find the pictures of each figure; `reasons` says why some could not be drawn."""
    return [_resolve(figure, study, workdir, reasons) for figure in figures]


def _resolve(figure, study, workdir, reasons) -> Shown:
    specs, pictures, missing, runs = by_spec(study), [], [], []
    unfinished = {run.name for run in study.runs if not run.finished}
    for pattern in figure.pictures:
        wanted = re.search(r"{(\w+)}", pattern)
        name = wanted.group(1) if wanted else ""
        if name and name not in specs:
            begun = any(run == name or run.startswith(f"{name}-") for run in unfinished)
            why = "not finished" if begun else "not run at this scale"
            missing.append(f"{name} is {why}")
            continue
        run = specs[name][0] if name else None
        path = Path(pattern.replace(f"{{{name}}}", run.name) if run else pattern)
        if reason := reasons.get(pattern):
            missing.append(reason)
        elif not (workdir / path).is_file():
            missing.append(f"there is no {path.as_posix()}")
        else:
            pictures.append(path)
            runs += [_run_text(name, run.result["seed"], len(specs[name]))] if run else []
    return Shown(figure, tuple(pictures), tuple(dict.fromkeys(missing)), tuple(dict.fromkeys(runs)))


def _run_text(name: str, seed: int, seeds: int) -> str:
    return f"{name}, seed {seed} (of {seeds})" if seeds > 1 else name


def caption(shown: Shown, *, synthetic: bool) -> tuple[str, str]:
    """Give which figure of the paper stands beside it, and what it shows and what differs."""
    figure = shown.figure
    parts = [figure.shows[0].upper() + figure.shows[1:] + "."]
    faces = "synthetic faces" if synthetic else ""
    ours = "; ".join(filter(None, (*shown.runs, faces)))
    parts += [f"Ours: {ours}."] if shown.pictures and ours else []
    parts += [figure.note] if figure.note else []
    parts += [f"Missing: {'; '.join(shown.missing)}."] if shown.missing else []
    return figure.number or "Not in a paper", " ".join(parts)


def markdown(shown: list[Shown], *, synthetic: bool) -> str:
    """Write the figures with their captions as Markdown, those without pictures too."""
    parts = []
    for one in shown:
        head, said = caption(one, synthetic=synthetic)
        parts.append(f"**{head}**: {said}")
        parts += [f"![{one.figure.shows}]({path.as_posix()})" for path in one.pictures]
    return "\n\n".join(parts)


def html(shown: list[Shown], workdir: Path, *, synthetic: bool) -> str:
    """Write the figures with their captions as HTML, those without pictures too."""
    parts = []
    for one in shown:
        head, text = caption(one, synthetic=synthetic)
        said = f"<figcaption><strong>{escape(head)}</strong>: {escape(text)}</figcaption>"
        images = "".join(_image(path, workdir, one.figure.shows) for path in one.pictures)
        held = f'<div class="shots">{images}</div>' if images else ""
        kind = "shown" if images else "shown absent"
        parts.append(f'<figure class="{kind}">{held}{said}</figure>')
    return "".join(parts)


def _image(path: Path, workdir: Path, alt: str) -> str:
    with Image.open(workdir / path) as picture:
        width, height = (size // DENSITY for size in picture.size)
    return (
        f'<img src="{escape(path.as_posix())}" alt="{escape(alt)}" width="{width}" '
        f'height="{height}" loading="lazy">'
    )
