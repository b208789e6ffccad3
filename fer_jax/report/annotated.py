"""Draw a photo with its faces boxed and numbered, and beside it what was said of each."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from fer_jax.data.fit_faces import fit_faces
from fer_jax.report.style import GRID, INK, MUTED, NETWORKS

SIDE = 720  # pixels of the photo's longer side as drawn
FACE = 120  # pixels a side of a face in its panel
GAP = 16
PAPER = "#ffffff"
BAR, OTHER = NETWORKS["A"][0], "#9db4c6"
MOST = 40  # faces with a panel each; all are boxed


class Annotation(NamedTuple):
    """What is drawn of one face.

    Attributes:
      box: (left, top, width, height) in the photo's own pixels.
      probabilities: in the labels' order.
      noise: its noise level, 0..1.
      pixels: the face as cut, u8 `[h, w, 3]`.
      denoised: what the DAE made of it, f32 `[h, w, c]` in 0..1, or None.
    """

    box: tuple[int, int, int, int]
    emotion: str
    probabilities: Sequence[float]
    noise: float
    pixels: np.ndarray
    denoised: np.ndarray | None


def annotate(
    pixels: np.ndarray,
    faces: Sequence[Annotation],
    *,
    labels: Sequence[str],
    scale: float,
    shape: tuple[int, int, int],
) -> Image.Image:
    """Draw a photo u8 `[h, w, 3]`, shrunk by `scale`, with a panel for each of the first faces.

    A panel has the face at the network's `shape` (h, w, c), what the DAE made of it where there is
    one, and a bar for each probability.
    """
    photo, factor = _photo(pixels, scale)
    draw = ImageDraw.Draw(photo)
    for number, face in enumerate(faces, start=1):
        _box(draw, face, number, factor)
    panels = [_panel(face, i, labels, shape) for i, face in enumerate(faces[:MOST], start=1)]
    rows = max(1, photo.height // (panels[0].height + GAP), _rows_for(len(panels)))
    columns = -(-len(panels) // rows)
    width, height = panels[0].size
    tall = min(rows, len(panels)) * (height + GAP) - GAP
    page = Image.new(
        "RGB", (photo.width + columns * (width + GAP) + 2 * GAP, max(photo.height, tall) + 2 * GAP),
        PAPER,
    )
    page.paste(photo, (GAP, GAP))
    for i, panel in enumerate(panels):
        column, row = divmod(i, rows)
        page.paste(
            panel, (photo.width + 2 * GAP + column * (width + GAP), GAP + row * (height + GAP))
        )
    return page


def file_name(name: str, taken: set[str]) -> str:
    """Name a picture's drawing after it, as no other in `taken`, which it is put into."""
    plain = re.sub(r"[^\w.@-]+", "_", Path(name).name)[-100:]
    made, i = f"{plain}.faces.png", 1
    while made in taken:
        i += 1
        made = f"{plain}-{i}.faces.png"
    taken.add(made)
    return made


def _rows_for(panels: int) -> int:
    """Keep the page from growing wider than three columns of panels."""
    return -(-panels // 3)


def _photo(pixels: np.ndarray, scale: float) -> tuple[Image.Image, float]:
    """Resize for the page; a tiny one is enlarged. Gives the factor from the photo's own pixels."""
    image = Image.fromarray(pixels)
    longest = max(image.size)
    factor = SIDE / longest if longest > SIDE else max(1.0, SIDE // 2 / longest)
    size = tuple(max(1, round(side * factor)) for side in image.size)
    filter = Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST
    return image.resize(size, filter), factor / scale


def _box(draw: ImageDraw.ImageDraw, face: Annotation, number: int, factor: float) -> None:
    left, top, width, height = (value * factor for value in face.box)
    for grow, colour in ((2, "#000000"), (1, PAPER), (0, PAPER), (-1, "#000000")):
        if min(width, height) > 8:
            corners = (left - grow, top - grow, left + width + grow, top + height + grow)
            draw.rectangle(corners, outline=colour)
    text, font = f" {number} {face.emotion} ", _font(15)
    if draw.textlength(text, font=font) > width + 8:  # it would cover the neighbours
        text, font = f" {number} ", _font(12)
    x0, y0, x1, y1 = draw.textbbox((0, 0), text, font=font)
    y = top - (y1 - y0) - 8 if top > y1 - y0 + 8 else top
    x = max(0, min(left, draw.im.size[0] - (x1 - x0)))
    draw.rectangle((x, y, x + x1 - x0, y + y1 - y0 + 8), fill="#000000")
    draw.text((x, y + 4 - y0), text, font=font, fill=PAPER)


def _panel(
    face: Annotation, number: int, labels: Sequence[str], shape: tuple[int, int, int]
) -> Image.Image:
    shown = [("as the network sees it", fit_faces([face.pixels], shape=shape)[0])]
    if face.denoised is not None:
        clean = np.round(255 * np.clip(face.denoised, 0, 1)).astype(np.uint8)
        shown = [("as cut", shown[0][1]), ("denoised", clean)]
    bars_left = len(shown) * (FACE + GAP)
    panel = Image.new("RGB", (bars_left + 250, FACE + 44), PAPER)
    draw, small = ImageDraw.Draw(panel), _font(12)
    draw.text((0, 0), f"{number}  {face.emotion}", font=_font(15), fill=INK)
    draw.text(
        (panel.width - 4, 2), f"noise {face.noise:.3f}", font=small, fill=MUTED, anchor="ra"
    )
    for i, (title, pixels) in enumerate(shown):
        image = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0]).convert("RGB")
        panel.paste(
            image.resize((FACE, FACE), Image.Resampling.NEAREST), (i * (FACE + GAP), 24)
        )
        draw.text((i * (FACE + GAP), FACE + 27), title, font=small, fill=MUTED)
    step, best = FACE / len(labels), int(np.argmax(face.probabilities))
    for i, (label, share) in enumerate(zip(labels, face.probabilities, strict=True)):
        y = 24 + i * step
        middle = y + step / 2
        draw.text((bars_left + 62, middle), label, font=small, fill=INK, anchor="rm")
        start, length = bars_left + 70, 130
        draw.rectangle((start, y + 3, start + length, y + step - 3), fill=GRID)
        end = start + round(length * share)
        if end > start:
            colour = BAR if i == best else OTHER
            draw.rectangle((start, y + 3, end, y + step - 3), fill=colour)
        draw.text(
            (panel.width - 4, middle), f"{100 * share:.0f} %", font=small,
            fill=INK if i == best else MUTED, anchor="rm",
        )
    return panel


def _font(size: int) -> ImageFont.FreeTypeFont:
    # Matplotlib brings it along.
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
