"""FER2013-C: fifteen corruptions at five severities for faces of 48x48, as one table.

The severities are published ones wherever there are any:

- DisFER (2022), three levels with human votes on FER2013's own faces, are severities 1 to 3 of
  Gaussian noise, impulse noise and Gaussian blur.
- Tiny ImageNet-C (64x64) and ImageNet-C (224x224), both of Hendrycks & Dietterich (2019), for the
  others. Its 64 pixels are nearest to our 48, so its rows are preferred. Lengths in pixels are
  scaled by 48/64 or 48/224; numbers without a length are taken as they are.
- What neither has, is tied to something that is published or to this project's own strengths; the
  row's comment says so.

A corrupted face is rounded to 256 grey levels afterwards, as a file of it would be.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from fer_jax.ops import blur, digital, noise, occlusion
from fer_jax.ops.distortion import (
    apply_each, gaussian_blur, gaussian_noise, random_grey, salt_pepper,
)

SIZE = 48  # pixels a side that the lengths in the table are for
SEVERITIES = (1, 2, 3, 4, 5)
GROUPS = ("noise", "blur", "occlusion", "digital")


class Corruption(NamedTuple):
    """One corruption: a row of the table.

    Attributes:
      group: one of GROUPS.
      unit: what a level is.
      levels: the parameter at each of SEVERITIES.
      source: where the levels are from.
      apply: `(key, images [b, h, w, c] in 0..1, level)` to images; None is done on the host.
      random: whether it draws anything.
      distortion: its name in `ops.distortion.DISTORTIONS`, under which a network trains on it.
    """

    group: str
    unit: str
    levels: tuple[float, float, float, float, float]
    source: str
    apply: Callable | None
    random: bool = False
    distortion: str = ""


CORRUPTIONS: dict[str, Corruption] = {
    # Severities 4 and 5 of Gaussian and impulse noise are Tiny ImageNet-C's, whose first three
    # (.04 .08 .12 and .01 .02 .05) are nearly DisFER's.
    "gaussian_noise": Corruption(
        "noise", "sigma", (10 / 255, 20 / 255, 30 / 255, 0.15, 0.18),
        "DisFER 10, 20, 30 of 255; then Tiny ImageNet-C",
        apply=lambda key, images, level: gaussian_noise(key, images, sigma=level),
        random=True, distortion="gaussian",
    ),
    "shot_noise": Corruption(
        "noise", "photons", (250, 100, 50, 30, 15), "Tiny ImageNet-C",
        apply=lambda key, images, level: noise.shot_noise(key, images, photons=level), random=True,
    ),
    "impulse_noise": Corruption(
        "noise", "p", (0.02, 0.04, 0.06, 0.08, 0.14), "DisFER .02, .04, .06; then Tiny ImageNet-C",
        apply=lambda key, images, level: salt_pepper(key, images, p=level),
        random=True, distortion="salt_pepper",
    ),
    "speckle_noise": Corruption(
        "noise", "sigma", (0.15, 0.2, 0.25, 0.3, 0.35), "Tiny ImageNet-C",
        apply=lambda key, images, level: noise.speckle_noise(key, images, sigma=level), random=True,
    ),
    # The strengths at which every run of this project is evaluated.
    "random_grey": Corruption(
        "noise", "p", (0.05, 0.1, 0.2, 0.3, 0.5), "ours, after Li (2023), who states none",
        apply=lambda key, images, level: random_grey(key, images, p=level),
        random=True, distortion="random_grey",
    ),
    # Tiny ImageNet-C ends at 1.5 * 48/64 = 1.1 px, DisFER's second level, so DisFER's own step of
    # .3 goes on.
    "gaussian_blur": Corruption(
        "blur", "sigma, px", (0.8, 1.1, 1.4, 1.7, 2.0), "DisFER .8, 1.1, 1.4; then the same step",
        apply=lambda key, images, level: gaussian_blur(images, sigma=level), distortion="blur",
    ),
    # Radii 3, 4, 6, 8, 10 of 224. Tiny ImageNet-C's first two disks are a single pixel, blurred
    # by a Gaussian against aliasing; our disk is antialiased by the area that it covers.
    "defocus_blur": Corruption(
        "blur", "radius, px", tuple(r * SIZE / 224 for r in (3, 4, 6, 8, 10)),
        "ImageNet-C, lengths * 48/224",
        apply=lambda key, images, level: blur.defocus_blur(images, radius=level),
    ),
    # Sigma 1, 1.5, 2, 2.5, 3 of 64; angle -45..45 degrees as there. Its kernel ends at 20 px or
    # more, beyond 6 sigma; ours at 9 px, 4 sigma of the strongest.
    "motion_blur": Corruption(
        "blur", "sigma, px", (0.75, 1.125, 1.5, 1.875, 2.25), "Tiny ImageNet-C, lengths * 48/64",
        apply=lambda key, images, level: blur.random_motion_blur(key, images, sigma=level),
        random=True,
    ),
    # Cutout (DeVries & Taylor 2017) covers a quarter of the side for CIFAR-100, severity 3, and
    # half of it for CIFAR-10, severity 5; between and before them even steps.
    "random_block": Corruption(
        "occlusion", "side, px", (4, 8, 12, 18, 24), "Cutout's shares of the side at 3 and 5",
        apply=lambda key, images, level: occlusion.random_block(key, images, side=level),
        random=True,
    ),
    # 1/48 = .021 to 5/48 = .104 of the pixels: about as many as impulse noise spoils.
    "dead_lines": Corruption(
        "occlusion", "lines", (1, 2, 3, 4, 5), "ours: as many pixels as impulse noise, in lines",
        apply=lambda key, images, level: occlusion.dead_lines(key, images, count=level),
        random=True,
    ),
    "jpeg": Corruption("digital", "quality", (65, 58, 50, 40, 25), "Tiny ImageNet-C", apply=None),
    "pixelate": Corruption(
        "digital", "share of side", (0.9, 0.8, 0.7, 0.6, 0.5), "Tiny ImageNet-C",
        apply=lambda key, images, level: digital.pixelate(images, share=level),
    ),
    "contrast": Corruption(
        "digital", "factor", (0.4, 0.3, 0.2, 0.1, 0.05), "ImageNet-C, as Tiny ImageNet-C",
        apply=lambda key, images, level: digital.contrast(images, factor=level),
    ),
    "brightness": Corruption(
        "digital", "shift", (0.1, 0.2, 0.3, 0.4, 0.5), "ImageNet-C, as Tiny ImageNet-C",
        apply=lambda key, images, level: digital.brightness(images, shift=level),
    ),
    # Five bits to one: Feature Squeezing (Xu et al. 2018) goes through all bit depths to 1.
    "quantise": Corruption(
        "digital", "levels", (32, 16, 8, 4, 2), "ours: 5 bits to 1",
        apply=lambda key, images, level: digital.quantise(images, levels=level),
    ),
}


def corrupt_each(keys: jax.Array, images: jax.Array, level, *, name: str) -> jax.Array:
    """Corrupt images [b, h, w, c] in 0..1 with one key each, keys [b].

    `name` is a key of `CORRUPTIONS` that is not done on the host, `level` a number in that
    corruption's unit, which may be traced. An image's result depends on its own key and level
    alone, not on the batch around it. Raises ValueError for any other name.
    """
    found = CORRUPTIONS.get(name)
    if found is None or found.apply is None:
        known = ", ".join(name for name, row in CORRUPTIONS.items() if row.apply)
        raise ValueError(f"no corruption {name!r} inside jit: choose one of {known}")
    return apply_each(found.apply, keys, images, level)
