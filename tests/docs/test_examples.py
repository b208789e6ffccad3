"""The examples of the documentation, whose pages show these very files, do what they say."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from fer_jax import metrics, models
from fer_jax.checks import check_config
from fer_jax.configuring import REPOSITORY, load_config
from fer_jax.data import EMOTIONS, load_splits
from fer_jax.data.prepare import main as prepare
from fer_jax.ops import distortion
from fer_jax.train import make_step
from tests.tiny import NETWORK, draw_batch, make_parts

EXAMPLES = sorted((REPOSITORY / "docs" / "examples").glob("*.py"))


TABLES = (models.MODULES, models.BUILDERS, distortion.DISTORTIONS, distortion.STRONGEST)


@pytest.fixture(autouse=True)
def tables_as_before():
    """Take back afterwards what an example puts into the package's tables."""
    before = [dict(table) for table in TABLES]
    yield
    for table, held in zip(TABLES, before, strict=True):
        table.clear()
        table.update(held)


def load(name: str):
    return load_config(str(REPOSITORY / "docs" / "examples" / f"{name}.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_shown_by_a_page(path):
    assert len(path.read_text().splitlines()) < 40
    pages = "".join(page.read_text() for page in (REPOSITORY / "docs").glob("*.md"))
    assert f"```{{literalinclude}} examples/{path.name}" in pages


def take_step(config):
    """Take one step of a run on noise; return the model and the summary of its confusion."""
    check_config(config)
    model, tx, state = make_parts(config)
    step = jax.jit(make_step(config, model, tx))
    after, confusion = step(state, draw_batch(), jnp.ones(()))
    assert int(after.step) == 1
    return model, metrics.summarise(confusion)


@pytest.mark.usefixtures("quick_compile")
def test_own_network_trains():
    model, summary = take_step(load("own_network"))
    assert type(model).__name__ == "TwoLayers" and model.filters == 16
    assert 0 < summary["loss"] < 10 * math.log(7)


def test_own_distortion_blackens_whole_rows_as_often_as_asked():
    config = load("own_distortion")
    check_config(config)
    images = jnp.full((50, 48, 48, 1), 0.5)
    got = distortion.distort(jax.random.key(0), images, 0.3, name="stripes")
    rows = np.asarray(got).reshape(50, 48, 48)
    black = (rows == 0).all(-1)
    assert ((rows == 0.5).all(-1) | black).all()
    assert black.mean() == pytest.approx(0.3, abs=0.03)  # 2,400 rows: one sd is .0094
    same = distortion.distort(jax.random.key(0), images, 0.0, name="stripes")
    np.testing.assert_array_equal(same, images)


@pytest.mark.usefixtures("quick_compile")
def test_own_distortion_trains_a_dae():
    run = load("own_distortion").runs.dae
    run.model.update(NETWORK)
    assert take_step(run)[1]["loss"] > 0


def test_own_dataset_is_prepared_and_split(tmp_path, capsys):
    for split, n in (("train", 20), ("test", 3)):
        for label, emotion in enumerate(EMOTIONS):
            folder = tmp_path / "my_faces" / split / emotion
            folder.mkdir(parents=True)
            for i in range(n):
                Image.new("L", (60, 60), 30 * label + i).save(folder / f"{i}.png")
    assert prepare([
        "my_faces", f"--source={tmp_path / 'my_faces'}", "--size=48x48", f"--data_dir={tmp_path}",
    ]) == 0
    capsys.readouterr()
    config = load("own_dataset")
    check_config(config)
    splits = load_splits(
        config.data.dataset, protocol=config.data.protocol, data_dir=str(tmp_path)
    )
    # A tenth of 7 * 20 training faces is held out.
    assert {name: len(split.labels) for name, split in splits.items()} == {
        "train": 126, "validation": 14, "test": 21,
    }
    assert splits["train"].images.shape[1:] == (48, 48, 1)
