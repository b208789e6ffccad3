"""Draw synthetic grey faces with seven expressions: a dataset that needs no download.

Each pixel of a face gets face coordinates (u to its left or right, v down; the head is about 0.65
wide and 0.9 high from its middle), and soft-edged shapes are painted over each other, for a block
of faces at once. In the helpers `f` holds the faces' parameters, each [n, 1, 1].
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import numpy as np

from fer_jax.data.faces import EMOTIONS, pixel_digests
from fer_jax.data.splits import Split

# A block is drawn from one generator and always drawn whole, so a shorter draw is a prefix of a
# longer one. Two faces of each expression a block: the classes are balanced, and a block's arrays
# stay in the processor's cache.
BLOCK = 2 * len(EMOTIONS)
SIZES = (4000, 800, 800)  # faces in train, validation and test

# How each expression moves a resting face, at full intensity. Lengths are in face coordinates,
# the others are strengths in 0..1. Each expression has two forms, such as a closed and an open
# mouth; a face lies somewhere between them.
MOVES = (
    "brow_raise",   # whole brow up
    "brow_slant",   # inner end down, outer end up
    "brow_arch",    # middle up
    "frown",        # brows together, upright lines between them
    "lid_upper",    # upper lid up
    "lid_lower",    # lower lid up
    "wrinkle",      # nose wrinkled
    "fold",         # line from the nose to the corner of the mouth
    "mouth_curve",  # corners up
    "mouth_open",   # height of the gap between the lips
    "mouth_width",  # corners apart, as a share of the mouth
    "lip_raise",    # upper lip up
    "lip_press",    # lips thinned
    "teeth",        # share of the gap that shows teeth
    "jaw",          # chin down
)
EXPRESSIONS = {
    #            brow                    eye         nose     mouth
    #            raise slant arch frown  upper lower wri fold curve open width raise press teeth jaw
    "angry": (
        (-.11,  .17, -.01, 1.0, -.01,  .030, .2, .1, -.07, .00, -.12, .00, .8, 0., .00),
        (-.12,  .19, -.02, 1.0,  .02,  .030, .3, .4, -.08, .17,  .08, .03, .2, .9, .04),
    ),
    "disgust": (
        (-.07,  .05, -.03, 0.4, -.05,  .045, 1., .9, -.08, .03, -.08, .07, .0, 0., .00),
        (-.07,  .06, -.02, 0.5, -.05,  .045, 1., 1., -.04, .12,  .00, .09, .0, .7, .02),
    ),
    "fear": (
        ( .09, -.14, -.03, 0.6,  .06, -.010, .0, .0, -.06, .12,  .20, .00, .1, .6, .03),
        ( .11, -.16, -.02, 0.7,  .07, -.010, .0, .1, -.08, .21,  .16, .01, .1, .5, .07),
    ),
    "happy": (
        ( .01,  .00,  .02, 0.0, -.01,  .035, .0, .6,  .18, .03,  .20, .00, .1, 1., .00),
        ( .03,  .00,  .02, 0.0, -.01,  .040, .0, .9,  .18, .22,  .25, .00, .1, 1., .03),
    ),
    "sad": (
        ( .02, -.19, -.02, 0.5, -.05,  .000, .0, .2, -.15, .00, -.10, .00, .0, 0., .00),
        ( .01, -.15, -.01, 0.3, -.06,  .010, .0, .3, -.19, .02,  .05, .00, .2, 0., -.02),
    ),
    "surprise": (
        ( .16,  .00,  .06, 0.0,  .06, -.010, .0, .0,  .00, .24, -.35, .02, .1, .1, .10),
        ( .19,  .00,  .08, 0.0,  .08, -.020, .0, .0,  .00, .40, -.28, .02, .1, .1, .16),
    ),
    "neutral": (
        ( .00,  .00,  .00, 0.0,  .00,  .000, .0, .0,  .00, .00,  .00, .00, .0, 0., .00),
        ( .00,  .00,  .00, 0.0,  .00,  .000, .0, .0,  .01, .01,  .00, .00, .0, 0., .00),
    ),
}
MOVE_TABLE = np.array([EXPRESSIONS[emotion] for emotion in EMOTIONS], np.float32)
# Faces differ at rest too (standard deviation): what makes a weak expression ambiguous.
RESTING = np.array(
    (.018, .018, .012, .08, .008, .005, .05, .08, .016, .006, .06, .006, .10, .0, .01), np.float32
)
INTENSITY = (0.4, 1.1)

# Everything else about a face: the two ends of a uniform draw.
RANGES = {
    # who it is
    "head_width": (0.60, 0.72), "head_height": (0.84, 0.95), "jaw_taper": (0.10, 0.42),
    "tone": (0.40, 0.85), "hair_tone": (0.04, 0.55), "hair_volume": (0.02, 0.16),
    "hair_length": (-0.4, 1.4), "hairline": (-0.85, -0.56), "hairline_curve": (-0.1, 0.5),
    "hair_part": (-0.25, 0.25), "brow_thickness": (0.022, 0.055), "brow_width": (0.15, 0.20),
    "brow_height": (0.20, 0.26), "brow_tone": (0.15, 0.6), "eye_spacing": (0.26, 0.33),
    "eye_width": (0.135, 0.17), "eye_opening": (0.052, 0.072), "eye_tilt": (-0.015, 0.03),
    "eye_height": (-0.17, -0.09), "iris_tone": (0.05, 0.35), "gaze": (-0.04, 0.04),
    "nose_width": (0.10, 0.15), "nose_length": (0.16, 0.24), "mouth_size": (0.24, 0.31),
    "mouth_height": (0.44, 0.53), "lip_thickness": (0.035, 0.08), "lip_tone": (0.55, 0.85),
    "age": (0.0, 0.3), "lopsided": (-0.015, 0.015), "glasses_tone": (0.03, 0.4),
    "beard_tone": (0.3, 0.7), "clothes_tone": (0.05, 0.9),
    # how it stands
    "rotation": (-0.22, 0.22), "shift_x": (-0.13, 0.13), "shift_y": (-0.11, 0.11),
    "scale": (0.97, 1.18), "yaw": (-0.16, 0.16), "pitch": (-0.08, 0.08),
    # how it is lit and taken
    "light_x": (-1.0, 1.0), "light_y": (-0.9, 0.4), "light": (0.1, 0.5),
    "gradient_x": (-0.2, 0.2), "gradient_y": (-0.15, 0.15), "shadow_angle": (0.0, 2 * np.pi),
    "shadow_edge": (0.0, 0.8), "shadow_depth": (0.15, 0.4), "gamma": (0.75, 1.3),
    "contrast": (0.75, 1.1), "brightness": (-0.06, 0.08), "blur": (0.0, 0.14),
    "noise": (0.0, 0.016), "backdrop": (0.1, 0.9), "backdrop_slope_x": (-0.2, 0.2),
    "backdrop_slope_y": (-0.2, 0.2), "backdrop_blobs": (0.03, 0.22), "backdrop_grain": (0.0, 0.08),
}
# What only some faces have, with its probability.
CHANCES = {"glasses": 0.12, "beard": 0.15, "shadow": 0.35}


def draw_faces(seed: int, n: int, *, size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Draw `n` faces: images u8 [n, size, size] in 0..255 and labels i32 [n] (`EMOTIONS`).

    The same arguments give the same faces, and fewer faces are a prefix of more. The classes are
    balanced: two faces of each in every `BLOCK`, in random order. A weak expression (`INTENSITY`)
    can look like another one. `size` changes the sampling only, not who is drawn.

    Raises:
      ValueError: `seed` or `n` is negative, or `size` is under 8.
    """
    if seed < 0 or n < 0 or size < 8:
        raise ValueError(f"seed={seed}, n={n}, size={size}: seed, n must be >= 0 and size >= 8")
    # NumPy lets other threads run while it computes, so several cores draw at once.
    with ThreadPoolExecutor(4) as pool:
        blocks = list(pool.map(partial(_draw_block, seed, size=size), range(-(-n // BLOCK))))
    images = [np.zeros((0, size, size), np.uint8), *(block[0] for block in blocks)]
    labels = [np.zeros(0, np.int32), *(block[1] for block in blocks)]
    return np.concatenate(images)[:n], np.concatenate(labels)[:n]


def load(*, seed: int = 0, sizes: tuple[int | None, ...] = SIZES) -> dict[str, Split]:
    """Draw the splits train, validation and test of `sizes` faces, images u8 [n, 48, 48, 1].

    A size of None is that of `SIZES`. Every pair of (seed, split) has a draw of its own. `rows`
    is -1: there is no source file.
    """
    splits = {}
    for index, (name, n) in enumerate(zip(("train", "validation", "test"), sizes, strict=True)):
        n = SIZES[index] if n is None else n
        images, labels = draw_faces(3 * seed + index, n)
        images = images[..., None]
        splits[name] = Split(images, labels, pixel_digests(images)[:, 0], np.full(n, -1, np.int64))
    return splits


def _draw_block(seed: int, block: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one block: images u8 [BLOCK, size, size] and labels i32 [BLOCK]."""
    generator = np.random.default_rng((seed, block))
    labels = generator.permutation(np.arange(BLOCK) % len(EMOTIONS)).astype(np.int32)
    face = _draw_parameters(generator, labels)
    coarse, fine = (generator.standard_normal((BLOCK, k, k), np.float32) for k in (5, 24))
    # Grain comes last: it is the only draw whose amount depends on the size.
    grain = generator.standard_normal((BLOCK, size, size), np.float32)
    blobs, strands = _smooth_noise(coarse, size), _smooth_noise(fine, size)
    images = _photograph(_render(face, blobs, strands), face, grain)
    return np.rint(255 * images).astype(np.uint8), labels


def _draw_parameters(generator: np.random.Generator, labels: np.ndarray) -> SimpleNamespace:
    """Draw every parameter of the faces as f32 [n, 1, 1], expression included."""
    n = len(labels)
    low, high = np.array(list(RANGES.values()), np.float32).T
    values = low + (high - low) * generator.random((n, len(RANGES)), np.float32)
    has = generator.random((n, len(CHANCES)), np.float32) < np.array(list(CHANCES.values()))
    intensity = generator.uniform(*INTENSITY, (n, 1)).astype(np.float32)
    between = generator.random((n, 1), np.float32)
    one, other = MOVE_TABLE[labels, 0], MOVE_TABLE[labels, 1]
    moves = intensity * (one + between * (other - one))
    moves += RESTING * generator.standard_normal(moves.shape, np.float32)
    names = (*RANGES, *CHANCES, *MOVES)
    columns = np.concatenate([values, has.astype(np.float32), moves], axis=1).T
    return SimpleNamespace(**dict(zip(names, columns[:, :, None, None], strict=True)))


def _render(f: SimpleNamespace, blobs: np.ndarray, strands: np.ndarray) -> np.ndarray:
    """Paint the faces from back to front over backdrops of noise: f32 [n, size, size]."""
    x, y = _pixel_centres(blobs.shape[-1])
    f.pixel = 2.4 / blobs.shape[-1] / f.scale  # how wide an edge is: a little more than a pixel
    cos, sin = np.cos(f.rotation), np.sin(f.rotation)
    u = ((x - f.shift_x) * cos + (y - f.shift_y) * sin) / f.scale
    v = ((y - f.shift_y) * cos - (x - f.shift_x) * sin) / f.scale + 0.03

    image = f.backdrop + f.backdrop_slope_x * x + f.backdrop_slope_y * y
    image = image + f.backdrop_blobs * blobs + f.backdrop_grain * strands
    hair = f.hair_tone * (1 + 0.16 * strands)
    head, shade, radius = _head(f, u, v)
    image = _paint(image, _back_hair(f, u, v), hair)
    image = _paint(image, _edge(f, 1 + 0.35 * u**2 - v), f.clothes_tone * (1 + 0.1 * blobs))
    image = _paint(image, _neck(f, u, v), f.tone * 0.6)
    image = _paint(image, _ears(f, u, v), f.tone * 0.75)
    skin = f.tone * shade

    # Features sit on a surface that bulges towards the camera: turning the head moves them most
    # in its middle and not at its outline.
    bulge = np.clip(1 - radius, 0, 1)
    u, v = u - f.yaw * bulge, v - f.pitch * bulge
    skin = _nose(f, u, v, skin)
    skin = _mouth(f, u, v, skin)
    skin = _lines(f, u, v, skin)
    skin = _eyes(f, u, v, skin)
    skin = _brows(f, u, v, skin)
    skin = _paint(skin, _fringe(f, u, v), hair)
    return _paint(image, head, skin)


def _head(f, u, v):
    """Give the head's mask, its shading and the squared elliptic radius (1 at the outline)."""
    half_height = f.head_height + np.where(v > 0, f.jaw, 0)
    across = u / (f.head_width * (1 - f.jaw_taper * np.clip(v, 0, 1) ** 2))
    along = v / half_height
    radius = across**2 + along**2
    mask = _edge(f, (np.sqrt(radius) - 1) * f.head_width)
    lit = f.light * (f.light_x * across + f.light_y * along)
    cheeks = 0.10 * _bump((np.abs(u) - 0.36) / 0.28, (v - 0.22) / 0.26)
    sockets = 0.22 * _bump((np.abs(u) - f.eye_spacing) / 0.27, (v - f.eye_height + 0.03) / 0.2)
    chin = 0.12 * _bump(u / 0.24, (v - f.head_height - f.jaw + 0.16) / 0.13)
    return mask, 1.08 + lit - 0.28 * radius**2 + cheeks - sockets + chin, radius


def _back_hair(f, u, v):
    # The hair thins out towards its lower end.
    volume = f.hair_volume * np.clip(4 * (f.hair_length - v), 0, 1)
    outer = _distance(
        u / (f.head_width + volume), np.minimum(v, 0) / (f.head_height + f.hair_volume)
    )
    return _edge(f, (outer - 1) * f.head_width) * _edge(f, v - f.hair_length, soft=0.06)


def _fringe(f, u, v):
    line = f.hairline + f.hairline_curve * (u / f.head_width) ** 2 + f.hair_part * u
    return _edge(f, v - line, soft=0.03)


def _ears(f, u, v):
    return _edge(f, _distance(np.abs(u) - f.head_width, v / 1.6) - 0.09)


def _neck(f, u, v):
    return _edge(f, np.abs(u) - 0.34 - 0.2 * np.clip(v - 0.8, 0, 1)) * (v > 0.3)


def _nose(f, u, v, skin):
    a = np.abs(u)
    tip = f.eye_height + 0.12 + f.nose_length - 0.03 * f.wrinkle
    side = _bump((u + 0.08 * f.light_x) / 0.09, (v - tip + 0.16) / 0.32)
    ridge = _bump(u / 0.06, (v - tip + 0.14) / 0.26)
    base = _bump(u / (1.5 * f.nose_width), (v - tip - 0.06) / 0.07)
    wings = _bump((a - f.nose_width) / 0.04, (v - tip + 0.01) / 0.09)
    skin = skin * (1 - 0.20 * side - 0.28 * base - 0.22 * wings) + 0.10 * f.tone * ridge
    nostril = _edge(f, _distance(a - 0.55 * f.nose_width, 1.6 * (v - tip - 0.02)) - 0.035)
    skin = _paint(skin, 0.75 * nostril, f.tone * 0.3)
    # Slanting creases over the bridge, which bunches up.
    creases = np.cos((v + 0.7 * a) * (2 * np.pi / 0.13))
    window = _bump(u / 0.24, (v - f.eye_height - 0.08) / 0.22)
    return skin * (1 - np.clip(f.wrinkle, 0, 1) * window * (0.22 + 0.32 * creases))


def _mouth(f, u, v, skin):
    half_width = f.mouth_size * np.clip(1 + f.mouth_width, 0.5, 1.5)
    t = np.clip(u / half_width, -1, 1)
    arch = 1 - t * t
    inside = _edge(f, np.abs(u) - half_width)
    line = f.mouth_height + f.jaw / 2 + f.mouth_curve * (arch - 0.5) + f.lopsided * t
    gap = np.clip(f.mouth_open, 0, None) * np.sqrt(arch)
    lip = f.lip_thickness * (1 - 0.8 * np.clip(f.lip_press, 0, 1))
    top = line - 0.35 * gap - f.lip_raise * arch
    bottom = line + 0.65 * gap

    beard = 0.6 * f.beard * _edge(f, f.nose_length + 0.12 - v + 0.3 * u**2, soft=0.2)
    skin = skin * (1 - beard * (1 - f.beard_tone))
    skin = skin * (1 - 0.22 * _bump(u / (0.8 * half_width), (v - bottom - lip - 0.06) / 0.07))
    skin = _paint(skin, inside * _between(f, top - 0.8 * lip * arch, v, line), f.tone * f.lip_tone)
    shine = f.lip_tone + 0.18 * _bump(u / (0.5 * half_width), (v - bottom - lip / 2) / 0.05)
    skin = _paint(skin, inside * _between(f, line, v, bottom + lip * arch), f.tone * shine)
    # A closed mouth still shows as a thin dark line.
    opening = inside * _between(f, top - 0.012, v, np.maximum(bottom, top) + 0.012)
    skin = _paint(skin, opening, f.tone * 0.18)
    upper_teeth = _between(f, top, v, top + np.clip(0.6 * gap, 0, 0.11))
    lower_teeth = _between(f, bottom - 0.15 * gap, v, bottom)
    wide_enough = np.clip(gap / 0.06, 0, 1)
    teeth = inside * wide_enough * f.teeth * np.maximum(upper_teeth, 0.5 * lower_teeth)
    return _paint(skin, teeth, 0.55 + 0.45 * f.tone)


def _lines(f, u, v, skin):
    """Draw the lines that muscles make: from nose to mouth, between the brows, over the brows."""
    a = np.abs(u)
    start = f.eye_height + 0.05 + f.nose_length
    along = np.clip((v - start) / (f.mouth_height - start), 0, 1.2)
    corner = f.mouth_size * (1 + f.mouth_width) + 0.07
    path = f.nose_width + 0.05 + along * (corner - f.nose_width - 0.05)
    fold = _edge(f, np.abs(a - path) - 0.018) * np.clip(4 * along * (1.2 - along), 0, 1)
    upright = _bump((a - 0.055) / 0.035, (v - f.eye_height + f.brow_height - 0.02) / 0.15)
    rows = np.cos((v + 0.3 * u**2) * (2 * np.pi / 0.12))
    forehead = _bump(u / 0.4, (v - f.eye_height + f.brow_height + 0.22) / 0.16) * rows
    raised = np.clip(f.brow_raise / 0.15, 0, 1)
    lines = (
        np.clip(f.fold + f.age, 0, 1) * 0.35 * fold
        + np.clip(f.frown, 0, 1) * 0.40 * upright
        + (0.3 + f.age) * raised * 0.35 * forehead
    )
    return skin * (1 - lines)


def _eyes(f, u, v, skin):
    a, side = np.abs(u), np.sign(u)
    t = (a - f.eye_spacing) / f.eye_width
    arch = 1 - t * t
    centre = f.eye_height - f.eye_tilt * t
    upper = centre - np.clip(f.eye_opening + f.lid_upper, 0.008, None) * arch
    lower = centre + np.clip(0.7 * f.eye_opening - f.lid_lower, 0.006, None) * arch
    near = _edge(f, np.abs(t) * f.eye_width - f.eye_width)
    lens = near * _between(f, upper, v, lower)
    skin = skin * (1 - 0.15 * near * _line(f, v - lower - 0.06, 0.012))
    skin = skin * (1 - 0.35 * near * _line(f, v - upper + 0.055, 0.010))
    skin = _paint(skin, lens, 0.35 + 0.5 * f.tone)
    across, down = u - side * f.eye_spacing - f.gaze, v - f.eye_height
    iris = lens * _edge(f, _distance(across, down) - 0.062)
    skin = _paint(skin, iris, f.iris_tone * f.tone)
    skin = _paint(skin, 0.6 * lens * _edge(f, _distance(across + 0.02, down + 0.02) - 0.012), 1.0)
    skin = _paint(skin, 0.8 * near * _line(f, v - upper, 0.016), f.tone * 0.2)
    skin = _paint(skin, 0.3 * near * _line(f, v - lower, 0.010), f.tone * 0.3)
    ring = np.abs(_distance((a - f.eye_spacing) / 1.15, v - f.eye_height - 0.01) - 0.185) - 0.016
    bridge = np.maximum(np.abs(v - f.eye_height + 0.03) - 0.016, a - f.eye_spacing + 0.2)
    return _paint(skin, f.glasses * _edge(f, np.minimum(ring, bridge)), f.glasses_tone)


def _brows(f, u, v, skin):
    a, side = np.abs(u), np.sign(u)
    t = (a - f.eye_spacing - 0.01 + 0.04 * f.frown) / f.brow_width
    height = f.eye_height - f.brow_height - f.brow_raise - 0.8 * f.lopsided * side
    centre = height - f.brow_slant * t / 2 + (0.035 + f.brow_arch) * (t * t - 0.4)
    thick = f.brow_thickness * (1 - 0.45 * np.clip(t, -0.3, 1))
    mask = _edge(f, np.abs(v - centre) - thick) * _edge(f, (np.abs(t) - 1) * f.brow_width)
    return _paint(skin, 0.9 * mask, f.brow_tone * f.tone)


def _photograph(image, f, grain):
    """Light the faces, and take the picture: f32 [n, size, size] in 0..1."""
    x, y = _pixel_centres(image.shape[-1])
    image = image * (1 + f.gradient_x * x + f.gradient_y * y)
    across = np.cos(f.shadow_angle) * x + np.sin(f.shadow_angle) * y
    image = image * (1 - f.shadow * f.shadow_depth * np.clip((across - f.shadow_edge) / 0.3, 0, 1))
    image = np.clip(image, 0.005, 1) ** f.gamma
    image = 0.5 + f.contrast * (image - 0.5) + f.brightness
    for axis in (1, 2):  # a kernel of three pixels
        image = image + f.blur * (np.roll(image, 1, axis) + np.roll(image, -1, axis) - 2 * image)
    return np.clip(image + f.noise * grain, 0, 1)


def _pixel_centres(size):
    """Give x [1, 1, size] and y [1, size, 1]: the picture runs from -1 to 1."""
    centres = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
    return centres[None, None, :], centres[None, :, None]


def _paint(image, mask, tone):
    change = tone - image
    change *= mask
    change += image
    return change


def _edge(f, distance, soft=0.0):
    """Give 1 inside (negative distance), 0 outside, and a ramp about a pixel wide between."""
    mask = distance / -(f.pixel + soft)
    mask += 0.5
    return np.clip(mask, 0, 1, out=mask)


def _between(f, top, v, bottom):
    return _edge(f, np.maximum(top - v, v - bottom))


def _line(f, distance, half_width):
    return _edge(f, np.abs(distance) - half_width)


def _distance(across, along):
    return np.sqrt(across * across + along * along)


def _bump(across, along):
    """Give a soft round spot: 1 in its middle, 0 from radius 1 on."""
    spot = 1 - across * across
    spot -= along * along
    np.maximum(spot, 0, out=spot)
    spot *= spot
    return spot


def _smooth_noise(grid, size):
    """Enlarge noise [n, k, k] to [n, size, size] by linear interpolation."""
    cells = grid.shape[-1]
    at = np.linspace(0, cells - 1, size, dtype=np.float32)
    weights = np.clip(1 - np.abs(at[:, None] - np.arange(cells, dtype=np.float32)), 0, None)
    return weights @ grid @ weights.T
