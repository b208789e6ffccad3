"""What the network sees: shapes, order, views, and the same in training, testing and evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax import preprocess as module
from fer_jax.errors import UserError
from fer_jax.evaluate import evaluate, pad_split
from fer_jax.ops import crops
from fer_jax.ops.normalisation import normalise
from fer_jax.preprocess import Preprocess, input_shape, prepare, prepare_randomly, view
from fer_jax.sharding import make_mesh
from fer_jax.steps import Inputs, draw_inputs, to_unit
from tests.test_evaluate import Pixels, make_split

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).random((3, 12, 12, 1), np.float32)
EVERYTHING = Preprocess(size=20, crop=16, normalise="imagenet")


def test_faces_are_resized_cropped_and_normalised_in_that_order():
    out = jax.jit(lambda x: prepare(x, preprocess=EVERYTHING))(IMAGES)
    expected = crops.resize(jnp.asarray(IMAGES), size=20)[:, 2:18, 2:18]
    np.testing.assert_allclose(out, normalise(expected, name="imagenet"), atol=1e-5)
    assert out.shape[1:] == input_shape((12, 12, 1), preprocess=EVERYTHING) == (16, 16, 3)


def test_the_defaults_change_nothing():
    assert prepare(IMAGES, preprocess=Preprocess()) is IMAGES
    assert prepare_randomly(KEY, IMAGES, preprocess=Preprocess()) is IMAGES
    assert input_shape((12, 10, 3), preprocess=Preprocess()) == (12, 10, 3)


@pytest.mark.parametrize(
    "shape, changes, message",
    [
        ((48, 40, 1), {"crop": 41}, "crop is 41, and the faces have 48x40 pixels"),
        ((48, 40, 1), {"crop": 41, "size": 40}, "crop is 41, and the faces have 40x40 pixels"),
        ((48, 40, 2), {"normalise": "imagenet"}, "normalise: images have 2 channels"),
    ],
)
def test_what_does_not_fit_is_refused(shape, changes, message):
    with pytest.raises(UserError, match=message):
        input_shape(shape, preprocess=Preprocess(**changes))


def test_training_crops_anywhere_and_the_target_at_the_same_place():
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1), np.uint8)
    inputs = Inputs(
        distortion="random_grey", strength=0.3, share=0.5,
        preprocess=Preprocess(crop=5, normalise="symmetric"),
    )
    seen, clean = jax.jit(lambda x: draw_inputs(KEY, x, inputs=inputs))(images)
    assert seen.shape == clean.shape == (200, 5, 5, 1)
    unit, places = np.asarray(to_unit(images)), []
    for face, crop in zip(unit, np.asarray(clean), strict=True):
        found = [
            (top, left) for top, left in np.ndindex(4, 4)
            if abs(face[top : top + 5, left : left + 5] - crop).max() < 1e-6
        ]
        assert len(found) == 1
        places += found
    # Sixteen places, 12.5 each on average, standard deviation 3.4.
    _, counts = np.unique(places, axis=0, return_counts=True)
    assert len(counts) == 16 and counts.max() < 12.5 + 4 * 3.4
    # Nothing is distorted in the second half: there only the units differ.
    np.testing.assert_allclose(seen[100:], 2 * clean[100:] - 1, atol=1e-6)
    assert (abs(seen - 2 * clean + 1)[:100] > 1e-3).any(axis=(1, 2, 3)).all()


def test_views_of_a_crop_and_of_whole_faces():
    cropped = Preprocess(crop=8)
    assert [len(view(IMAGES, preprocess=cropped, views=name)) for name in module.VIEWS] == [
        entry.count for entry in module.VIEWS.values()
    ]
    plain, mirrored = view(IMAGES, preprocess=cropped, views="flip")
    np.testing.assert_array_equal(plain, IMAGES[:, 2:10, 2:10])
    np.testing.assert_array_equal(mirrored, plain[:, :, ::-1])
    ten = view(IMAGES, preprocess=cropped, views="ten_crop")
    np.testing.assert_array_equal(ten[3], IMAGES[:, 4:, 4:])
    # Without a crop: 11 / 12 of 12 pixels, resized to what the network was made for.
    whole = view(IMAGES, preprocess=Preprocess(), views="ten_crop")
    np.testing.assert_allclose(
        whole[3], crops.resize(jnp.asarray(IMAGES[:, 1:, 1:]), size=12), atol=1e-6
    )
    assert {v.shape for v in whole} == {IMAGES.shape}


@pytest.mark.parametrize("average", module.AVERAGES)
def test_ten_crops_are_averaged_face_by_face(average):
    faces = np.random.default_rng(1).integers(0, 256, (5, 10, 10, 1), np.uint8)
    split = make_split(np.arange(5), faces)
    preprocess = Preprocess(crop=8, normalise="symmetric")
    # Two devices, and padding in the last batch.
    padded = pad_split(split, make_mesh(2), batch_size=4)
    _, found = evaluate(
        {}, padded, model=Pixels(), views="ten_crop", average=average, preprocess=preprocess
    )
    unit, logits = faces / 255, []
    for top, left in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1)):
        crop = 2 * unit[:, top : top + 8, left : left + 8] - 1
        # `Pixels` answers with the first seven pixels of the second row.
        logits += [crop[:, 1, :7, 0], crop[:, :, ::-1][:, 1, :7, 0]]
    if average == "probabilities":
        expected = np.mean([np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in logits], axis=0)
    else:
        mean = np.exp(np.mean(logits, axis=0))
        expected = mean / mean.sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    # The two averages do differ here.
    other = dict.fromkeys(module.AVERAGES)
    del other[average]
    _, different = evaluate(
        {}, padded, model=Pixels(), views="ten_crop", average=next(iter(other)),
        preprocess=preprocess,
    )
    assert abs(found - different).max() > 1e-3
