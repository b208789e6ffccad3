"""Augmentations against slow NumPy loops, and what their random twins draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops import augmentation as aug

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(3)
B, H, W = 4, 9, 11


def draw_images(channels=1, dtype=jnp.float32):
    return jax.random.uniform(jax.random.key(1), (B, H, W, channels), dtype)


def ramps(b, size=41):
    """Give images [b, size, size, 2] whose channels hold each pixel's row and column."""
    grid = np.stack(np.mgrid[:size, :size], axis=-1).astype(np.float32)
    return jnp.asarray(np.broadcast_to(grid, (b, size, size, 2)))


def numpy_read(image, row, column, fill):
    """Read image [h, w, c] bilinearly at one place."""
    height, width = image.shape[:2]
    if fill == "nearest":
        row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    total = np.zeros(image.shape[2])
    for i in (int(np.floor(row)), int(np.floor(row)) + 1):
        for j in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= i < height and 0 <= j < width:
                total += image[i, j] * (1 - abs(row - i)) * (1 - abs(column - j))
    return total


def numpy_rotate_and_shift(images, angles, offsets, fill):
    out = np.zeros(images.shape)
    _, height, width, _ = images.shape
    for b, i, j in np.ndindex(images.shape[:3]):
        cos, sin = np.cos(np.deg2rad(angles[b])), np.sin(np.deg2rad(angles[b]))
        down = i - offsets[b][0] - (height - 1) / 2
        right = j - offsets[b][1] - (width - 1) / 2
        row = cos * down + sin * right + (height - 1) / 2
        column = -sin * down + cos * right + (width - 1) / 2
        out[b, i, j] = numpy_read(images[b], row, column, fill)
    return out


@pytest.mark.parametrize("fill", ["nearest", "zero"])
@pytest.mark.parametrize("channels", [1, 3])
def test_rotate_and_shift_match_numpy(channels, fill):
    images = draw_images(channels)
    angles = np.array([-20.0, 0.0, 33.0, 170.0])
    offsets = np.array([[1.0, -2.0], [0.0, 0.0], [0.25, -3.5], [-20.0, 4.0]])
    still = np.zeros((B, 2))

    def check(out, angles, offsets):
        expected = numpy_rotate_and_shift(np.asarray(images), angles, offsets, fill)
        np.testing.assert_allclose(out, expected, atol=2e-5)

    check(aug.rotate(images, angles, fill=fill), angles, still)
    check(jax.jit(lambda x, a: aug.rotate(x, a, fill=fill))(images, 15.0), [15.0] * B, still)
    check(jax.jit(lambda x, o: aug.shift(x, o, fill=fill))(images, offsets), [0.0] * B, offsets)
    both = jax.jit(lambda x, a, o: aug.rotate_and_shift(x, a, o, fill=fill))
    check(both(images, angles, offsets), angles, offsets)


def test_a_quarter_turn_is_counter_clockwise():
    square = draw_images()[:, :, :H]
    turned = np.rot90(square, axes=(1, 2))
    np.testing.assert_allclose(aug.rotate(square, 90.0), turned, atol=1e-5)


def test_whole_pixel_shift_is_exact():
    images = np.asarray(draw_images())
    out = aug.shift(images, (2, -3), fill="zero")
    expected = np.zeros_like(images)
    expected[:, 2:, :-3] = images[:, :-2, 3:]
    np.testing.assert_array_equal(out, expected)


def test_flip_mirrors_the_named_images():
    images, flipped = np.asarray(draw_images(3)), np.array([True, False, False, True])
    expected = images.copy()
    expected[flipped] = images[flipped][:, :, ::-1]
    np.testing.assert_array_equal(aug.flip(images, flipped), expected)


@pytest.mark.parametrize("form", [aug.crop, jax.jit(aug.crop, static_argnames="size")])
def test_crop_matches_numpy(form):
    images = np.asarray(draw_images(3))
    offsets = np.array([[0, 0], [4, 8], [2, 5], [9, -1]])
    out = form(images, offsets, size=(5, 3))
    for b, (top, left) in enumerate([(0, 0), (4, 8), (2, 5), (4, 0)]):  # the last moved inside
        np.testing.assert_array_equal(out[b], images[b, top : top + 5, left : left + 3])


@pytest.mark.parametrize("form", [aug.erase, jax.jit(aug.erase)])
def test_erase_matches_numpy(form):
    images = np.asarray(draw_images(3))
    values = np.asarray(draw_images(3))[::-1]
    boxes = np.array([[0, 0, 2, 3], [5, 6, 40, 40], [1, 1, 0, 5], [-2, 3, 4, 1]])
    level, pixels = images.copy(), images.copy()
    for b, (top, left, height, width) in enumerate(boxes):
        box = np.s_[b, max(top, 0) : top + height, left : left + width]
        level[box], pixels[box] = 0.5, values[box]
    np.testing.assert_array_equal(form(images, boxes), level)
    np.testing.assert_array_equal(form(images, boxes, value=values), pixels)


OPS = {
    "rotate": (aug.rotate, jnp.array([5.0, -10.0])),
    "shift": (aug.shift, jnp.array([[1.5, -0.5], [-2.0, 0.25]])),
    "flip": (aug.flip, jnp.array([[True, False, True, False], [False, False, True, True]])),
    "erase": (aug.erase, jnp.array([[1, 2, 3, 4], [0, 5, 6, 2]])),
}


@pytest.mark.parametrize("name", OPS)
def test_vmap_and_gradient(name):
    op, settings = OPS[name]
    images = draw_images()
    swept = jax.jit(jax.vmap(op, in_axes=(None, 0)))(images, settings)
    for out, setting in zip(swept, settings, strict=True):
        np.testing.assert_allclose(out, op(images, setting), atol=1e-6)

    # Each op is affine in the image: the gradient of a weighted sum is the sum's exact slope.
    weights, direction = images[::-1], images[:, ::-1]

    def weighted(images):
        return (op(images, settings[0]) * weights).sum()

    slope, zero = weighted(images + direction) - weighted(images), jnp.zeros_like(images)
    gradient = jax.jit(jax.grad(weighted))(zero)
    np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "least", "greatest"),
    [({"max_angle": 20}, -20, 20), ({"max_angle": 20, "min_angle": 0}, 0, 20)],
)
def test_random_rotate_draws_uniform_angles(options, least, greatest):
    out = jax.jit(lambda x: aug.random_rotate(KEY, x, **options))(ramps(400))
    # Ten pixels right of the centre (20, 20) the picture shows row 20 + 10 sin(angle).
    angles = np.rad2deg(np.arcsin((np.asarray(out[:, 20, 30, 0]) - 20) / 10))
    assert least - 0.01 <= angles.min() < least + 1 and greatest - 1 < angles.max()
    assert angles.max() <= greatest + 0.01
    # The mean of 400 uniform angles has standard deviation (range / sqrt(12)) / 20.
    spread = (greatest - least) / np.sqrt(12) / 20
    assert abs(angles.mean() - (least + greatest) / 2) < 4 * spread


def test_random_shift_draws_both_offsets_uniform():
    out = jax.jit(lambda x: aug.random_shift(KEY, x, max_fraction=0.1))(ramps(400))
    offsets = 20 - np.asarray(out[:, 20, 20, :])  # the centre shows where it came from
    assert abs(offsets).max() <= 4.1 + 1e-4 and abs(offsets).max() > 4.0  # .1 of 41 pixels
    # Standard deviation of the mean: 8.2 / sqrt(12) / 20 = .12.
    assert abs(offsets.mean(axis=0)).max() < 4 * 0.12
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.2  # four standard deviations, 4 / sqrt(400)


def test_random_flip_mirrors_a_share_p():
    out = aug.random_flip(KEY, ramps(1000, size=2), p=0.3)
    share = np.mean(np.asarray(out[:, 0, 0, 1]) == 1)
    assert abs(share - 0.3) < 4 * 0.0145  # sqrt(.3 * .7 / 1000) = .0145


def test_random_crop_reaches_every_offset():
    out = jax.jit(lambda x: aug.random_crop(KEY, x, size=41, padding=2))(ramps(400))
    assert out.shape == (400, 41, 41, 2)
    offsets = np.asarray(out[:, 20, 20, :]) - 20
    for axis in range(2):
        values, counts = np.unique(offsets[:, axis], return_counts=True)
        np.testing.assert_array_equal(values, [-2, -1, 0, 1, 2])
        assert abs(counts - 80).max() < 4 * 8  # 400 / 5, standard deviation 8


def test_random_crop_fills_the_padding():
    ones = jnp.ones((32, 4, 4, 1))
    assert (aug.random_crop(KEY, ones, size=4, padding=3) == 1).all()
    assert (aug.random_crop(KEY, ones, size=4, padding=3, fill="zero") == 0).any()


def test_random_erase_draws_boxes_within_their_bounds():
    area, aspect = (0.05, 0.2), (0.5, 2.0)

    def erased(images):
        return aug.random_erase(KEY, images, p=0.5, area=area, aspect=aspect, value=2.0)

    marked = np.asarray(jax.jit(erased)(jnp.zeros((400, 40, 40, 1))))[..., 0] == 2
    hit = marked.any(axis=(1, 2))
    assert abs(hit.mean() - 0.5) < 4 * 0.025  # sqrt(.25 / 400) = .025
    heights, widths = marked.any(axis=2).sum(axis=1)[hit], marked.any(axis=1).sum(axis=1)[hit]
    np.testing.assert_array_equal(marked.sum(axis=(1, 2))[hit], heights * widths)  # a full box
    # Rounding a side of at least sqrt(.05 * 1600 / 2) = 6.3 pixels moves it by 8 % at most.
    fractions, ratios = heights * widths / 1600, heights / widths
    assert fractions.min() > 0.05 * 0.85 and fractions.max() < 0.2 * 1.17
    assert ratios.min() > 0.5 * 0.85 and ratios.max() < 2.0 * 1.17
    assert 0.3 < (heights > widths).mean() < 0.7


def test_random_erase_paints_random_levels():
    out = aug.random_erase(KEY, jnp.full((8, 20, 20, 1), 2.0), p=1.0, value="random")
    painted = np.asarray(out)[np.asarray(out) != 2]
    assert painted.size >= 8 * 0.02 * 400 * 0.5 and np.unique(painted).size > painted.size / 2
    assert painted.min() >= 0 and painted.max() < 1


ALL = dict(
    rotate=(-20, 20), flip=True, shift=0.1, crop_padding=2, resized_crop=(0.5, 1.0),
    brightness=0.2, contrast=0.2, erase=1.0,
)


def test_augment_does_nothing_unless_asked():
    images = draw_images()
    np.testing.assert_array_equal(aug.augment(KEY, images), images)


def test_augment_is_its_key():
    images = draw_images(dtype=jnp.bfloat16)
    run = jax.jit(lambda key, x: aug.augment(key, x, **ALL))
    assert run(KEY, images).dtype == jnp.bfloat16 and run(KEY, images).shape == images.shape
    np.testing.assert_array_equal(run(KEY, images), run(KEY, images))
    assert (run(KEY, images) != run(jax.random.key(4), images)).any()


def test_augment_stages_keep_their_draws_when_others_are_off():
    def run(images, **options):
        return jax.jit(lambda x: aug.augment(KEY, x, **options))(images)

    # On a flat image only erasing shows: its boxes are those of erasing alone.
    flat = jnp.full((B, 20, 20, 1), 0.25)
    shape = {name: value for name, value in ALL.items() if name not in ("brightness", "contrast")}
    np.testing.assert_allclose(run(flat, **shape), run(flat, erase=1.0), atol=1e-6)
    # And brightness those of brightness alone.
    lit = run(flat, **{**ALL, "erase": 0.0, "contrast": 0.0})
    np.testing.assert_allclose(lit, run(flat, brightness=0.2), atol=1e-6)
    # On a picture that is its own mirror image flipping does not show.
    half = draw_images()
    mirrored = jnp.concatenate([half, half[:, :, ::-1]], axis=2)
    moved = run(mirrored, shift=0.1)
    np.testing.assert_array_equal(run(mirrored, flip=True, shift=0.1), moved)
    # One stage alone is its random twin with that stage's key.
    twin = aug.random_shift(jax.random.fold_in(KEY, 2), mirrored, max_fraction=0.1)
    np.testing.assert_allclose(moved, twin, atol=1e-6)


def test_augment_gives_the_same_on_four_devices():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    images = draw_images()
    spread = jax.device_put(images, jax.NamedSharding(mesh, jax.P("data")))
    run = jax.jit(lambda key, x: aug.augment(key, x, **ALL))
    np.testing.assert_allclose(run(KEY, spread), run(KEY, images), atol=1e-6)


def test_errors_say_what_to_do():
    images = draw_images()
    with pytest.raises(ValueError, match="12x5 does not fit in images of 9x11.*pad more"):
        aug.crop(images, (0, 0), size=(12, 5))
    with pytest.raises(ValueError, match="16x16 does not fit in images of 13x15"):
        aug.random_crop(KEY, images, size=16, padding=2)
    with pytest.raises(ValueError, match="unknown fill 'wrap'.*nearest, zero"):
        aug.rotate(images, 10.0, fill="wrap")
    with pytest.raises(ValueError, match=r"got shape \(3,\); expected \(\) or, an image, \(4,\)"):
        aug.rotate(images, jnp.zeros(3))
