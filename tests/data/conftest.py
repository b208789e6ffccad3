"""Made-up faces in the layouts of FER2013, and the tool that writes the real ones."""

import csv
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.data.sources import read_source

PER_CLASS = {"Training": 11, "PublicTest": 3, "PrivateTest": 4}  # faces of each emotion


@pytest.fixture
def made_faces() -> Faces:
    """Give 126 faces of noise in the order of a CSV, every emotion in every usage, two copies."""
    generator = np.random.default_rng(0)
    emotion = np.tile(np.arange(7, dtype=np.uint8), sum(PER_CLASS.values()))
    usage = np.repeat(list(PER_CLASS), [7 * n for n in PER_CLASS.values()])
    order = generator.permutation(len(emotion))
    images = generator.integers(0, 256, (len(emotion), 48, 48), np.uint8)
    # The same pixels under two emotions and twice under one: only later keys tell them apart.
    images[1] = images[0]
    images[order[5]] = images[order[6]]
    n = len(emotion)
    return Faces(images, emotion[order], usage[order], np.full(n, ""), np.arange(n))


@pytest.fixture
def write_csv(tmp_path):
    """Give a writer of fer2013.csv that returns its path."""

    def write(faces: Faces, *, header=("emotion", "pixels", "Usage"), edit=None) -> pathlib.Path:
        rows = [
            [str(emotion), " ".join(map(str, image.ravel())), str(usage)]
            for image, emotion, usage in zip(*faces[:3], strict=True)
        ]
        if edit is not None:
            edit(rows)
        path = tmp_path / "fer2013.csv"
        with open(path, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *rows])
        return path

    return write


@pytest.fixture
def write_tree(tmp_path):
    """Give a writer of the folder tree that returns its root."""

    def write(
        faces: Faces,
        *,
        name="{usage}_{row:07d}.png",
        splits=("train", "test", "test"),  # the folders of Training, PublicTest and PrivateTest
        emotions=EMOTIONS,
        root=tmp_path / "tree",
    ) -> pathlib.Path:
        split_of_usage = dict(zip(PER_CLASS, splits, strict=True))
        for row, (image, emotion, usage) in enumerate(zip(*faces[:3], strict=True)):
            folder = root / split_of_usage[usage] / emotions[emotion]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / name.format(usage=usage, row=row))
        return root

    return write


@pytest.fixture
def pack(tmp_path):
    """Give a packer of a file or folder: (source, archive's name, *, top) -> the archive."""

    def write(source: pathlib.Path, name: str, *, top="") -> pathlib.Path:
        files = [path for path in sorted(source.rglob("*")) if path.is_file()] or [source]
        start = source.parent if files == [source] else source
        members = [(path, f"{top}{path.relative_to(start).as_posix()}") for path in files]
        if name.endswith(".zip"):
            options = dict(compression=zipfile.ZIP_DEFLATED, compresslevel=1)
            with zipfile.ZipFile(tmp_path / name, "w", **options) as archive:
                for path, member in members:
                    archive.write(path, member)
        else:
            suffix = name.rpartition(".")[2]
            mode = "w" if suffix == "tar" else "w:" + {"tgz": "gz"}.get(suffix, suffix)
            fast = {"compresslevel": 1} if mode == "w:gz" else {}
            with tarfile.open(tmp_path / name, mode, **fast) as archive:
                for path, member in members:
                    archive.add(path, member)
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def real_layout(fer2013_source, tmp_path_factory):
    """Give a writer of the real faces: (layout, name, *options) -> path."""
    tool = fer2013_source.parent.parent / "tools" / "fer2013.py"
    if not tool.is_file():
        pytest.skip(f"the tool that writes the real FER2013 is not at {tool}")
    folder = tmp_path_factory.mktemp("fer2013")

    def write(layout: str, name: str, *options: str) -> pathlib.Path:
        out = folder / name
        command = [sys.executable, str(tool), layout, str(out), *options]
        subprocess.run(command, check=True, capture_output=True)
        return out

    return write


@pytest.fixture(scope="session")
def real_faces(real_layout) -> Faces:
    """Give the 35,887 real faces in canonical order."""
    return read_source(real_layout("npz", "whole.npz")).faces
