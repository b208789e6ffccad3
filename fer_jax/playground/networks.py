"""The networks that the page asks, each with a name, a colour and what it was trained on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax.corrupting import to_bytes
from fer_jax.errors import UserError
from fer_jax.recognizer import Recognizer
from fer_jax.report.results import Run, read_study
from fer_jax.report.style import NETWORKS, SPARE
from fer_jax.trained import SHIPPED

CHUNK = 8  # faces a network is asked about at once: a batch that a recognizer has a program for


class Network(NamedTuple):
    """One network as the page shows it.

    Attributes:
      about: what it was trained on, and what a reader must know besides.
      kind: as the report knows networks, which decides the colour.
      colours: of its bars and its line, in light and in dark.
      marker: of its points, as matplotlib writes it.
    """

    title: str
    about: str
    kind: str
    colours: tuple[str, str]
    marker: str
    recognizer: Recognizer

    @property
    def denoises(self) -> bool:
        """Tell whether it has a DAE."""
        return self.recognizer.reconstruct is not None


def ask(network: Network, faces: np.ndarray) -> np.ndarray:
    """Return a network's probabilities f32 `[n, k]` for faces u8 `[n, h, w]`."""
    chunks = [faces[i : i + CHUNK] for i in range(0, len(faces), CHUNK)]
    return np.concatenate([network.recognizer(chunk).probabilities for chunk in chunks])


def denoise(network: Network, face: np.ndarray) -> np.ndarray | None:
    """Return what a network's DAE makes of a face u8 `[h, w]`, u8 in its size, or None."""
    if not network.denoises:
        return None
    recon = np.nan_to_num(network.recognizer.denoise(face[None])[0])
    return np.asarray(to_bytes(recon.mean(-1)))


def load_networks(paths: list[Path]) -> list[Network]:
    """Load the classifiers of runs, studies and exported files, then the shipped network.

    Raises:
      UserError: a path is none of these or holds no classifier, or there is none at all.
    """
    found = []
    for path in paths:
        found += _load_study(path) if path.is_dir() else [_load_file(path)]
    shipped = _load_shipped()
    if not found and shipped is None:
        raise UserError(
            "name a MODEL: the workdir of a run or a study, such as runs/quickstart after make demo"
        )
    return dress(found + ([shipped] if shipped else []))


def _load_study(workdir: Path) -> list[Network]:
    """Load every finished classifier of a study, or the one of a run's workdir."""
    study = read_study(workdir)
    runs = [run for run in study.runs if run.finished and run.is_classifier]
    if not runs:
        raise UserError(
            f"{workdir} holds no finished classifier, and the playground asks for emotions; "
            "name the workdir of a classifier, of a hybrid or of their study"
        )
    folders = [workdir / run.name if study.is_study else workdir for run in runs]
    return [
        _make(run.label, _about(run), Recognizer.load(folder), kind=run.kind)
        for run, folder in zip(runs, folders, strict=True)
    ]


def _load_file(path: Path) -> Network:
    """Load an exported file."""
    recognizer = Recognizer.load(path)
    if recognizer.answer is None:
        raise UserError(f"{path} is a DAE alone, which names no emotion; name a classifier's file")
    return _make(path.stem, _trained_on(recognizer.config["data"]["dataset"]), recognizer)


def _load_shipped() -> Network | None:
    if not SHIPPED.is_file():
        return None
    recognizer = Recognizer.load()
    about = _trained_on(recognizer.config["data"]["dataset"])
    return _make("Shipped network", about, recognizer, kind="shipped")


def _make(title: str, about: str, recognizer: Recognizer, kind: str = "") -> Network:
    return Network(title, about, kind, ("", ""), "", recognizer)


def dress(networks: list[Network]) -> list[Network]:
    """Give each network the report's colour for its kind, or a spare one, and a title of its own.

    Of two networks of a kind the second takes a spare colour; after the spare ones they repeat.
    """
    taken, dressed, spare = set(), [], 0
    titles = [network.title for network in networks]
    for place, network in enumerate(networks):
        look = NETWORKS.get(network.kind)
        if look is None or network.kind in taken:
            look, spare = SPARE[spare % len(SPARE)], spare + 1
        taken.add(network.kind)
        same = titles[: place + 1].count(network.title)
        title = network.title if same == 1 else f"{network.title} ({same})"
        light, dark, marker = look
        dressed.append(network._replace(title=title, colours=(light, dark), marker=marker))
    return dressed


def _about(run: Run) -> str:
    told = [_trained_on(run.result["dataset"])]
    if run.collapsed:
        told.append("collapsed: it gives nearly every face one emotion")
    return "; ".join(told)


def _trained_on(dataset: str) -> str:
    names = {"fer2013": "FER2013", "raf_db": "RAF-DB", "sfew": "SFEW"}
    if dataset == "synthetic":
        return "trained on synthetic faces"
    return f"trained on {names.get(dataset, dataset)}"
