"""Draw a synthetic face under every corruption: `python -m fer_jax.corruption_picture`."""

from fer_jax.commands.corruption_picture import main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

import numpy as np
from matplotlib.figure import Figure

from fer_jax.corrupting import corrupt_split
from fer_jax.data import Split, synthetic
from fer_jax.ops.corruptions import CORRUPTIONS, SEVERITIES
from fer_jax.report import plots
from fer_jax.report.style import INK, MUTED
from fer_jax.report.suites import words

EMOTION = 3  # happy: teeth, brows and eyes that a corruption can hide


@plots.styled
def corruption_picture(split: Split) -> Figure:
    """Draw the first face of a split under all corruptions and severities, with their levels."""
    names = list(CORRUPTIONS)
    half = -(-len(names) // 2)
    figure = Figure(figsize=(9.6, 7.4))
    figure.text(0.012, 0.975, "FER2013-C on one synthetic face", color=INK, fontsize=11)
    figure.text(
        0.988, 0.975, "columns: clean, then severities 1 to 5; below a face its level",
        color=MUTED, fontsize=8, ha="right",
    )
    for i, name in enumerate(names):
        row = CORRUPTIONS[name]
        # Two halves side by side, each of rows of six faces behind their name.
        left, top = 0.012 + 0.5 * (i // half), 0.945 - (i % half) * 0.118
        figure.text(left, top - 0.045, words(name), color=INK, fontsize=8.5, va="center")
        figure.text(left, top - 0.068, row.unit, color=MUTED, fontsize=7, va="center")
        faces = [split.images[:1]]
        faces += [corrupt_split(split, name=name, severity=s)[:1] for s in SEVERITIES]
        for j, face in enumerate(faces):
            axes = figure.add_axes((left + 0.105 + 0.0625 * j, top - 0.092, 0.06, 0.078 + 0.012))
            axes.imshow(face[0, :, :, 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            axes.set_xlabel(
                "clean" if j == 0 else f"{row.levels[j - 1]:.3g}", fontsize=6.5, labelpad=1.5
            )
    return figure


def draw_face(seed: int) -> Split:
    """Draw one synthetic face with an emotion that corruptions can hide."""
    drawn = synthetic.load(seed=seed, sizes=(7, 7, 70))["test"]
    first = np.flatnonzero(drawn.labels == EMOTION)[:1]
    return Split(*(array if array is None else array[first] for array in drawn))
