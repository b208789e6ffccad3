"""Which points of a grid share a program, and the stacks of points that are under way."""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path

from ml_collections import ConfigDict

from fer_jax import checkpoint, processes, results, writers
from fer_jax.configuring import config_hash, differences, to_json
from fer_jax.dispatch import choose_points
from fer_jax.errors import UserError
from fer_jax.sharding import make_mesh
from fer_jax.stacked import form

STACKS, MEMBERS = ".stacks", "members.json"

Runs = dict[str, tuple[ConfigDict, Path]]


def plan(runs: Runs, workdir: Path) -> list[tuple[list[str], Path]]:
    """List the stacks to train: the names of their points, and the folder of their checkpoints.

    Stacks under way come first, whatever `points_per_program` says now. Of the other points, those
    of one form that have not begun share a program, as many as there may be in one, in shares as
    equal as can be. A point that is in no stack trains by itself; so does each in a run of several
    processes, which share its batches.

    Raises:
      UserError: a point of a stack under way has another config now, or a stack is under way and
        there are several processes.
    """
    stacks = _under_way(runs, workdir)
    if processes.several():
        if stacks:
            raise UserError(
                f"{workdir} holds points under way that train as one program, which several "
                f"processes cannot share; go on with one, or remove {workdir / STACKS}"
            )
        return []
    taken = {name for names, _ in stacks for name in names}
    forms: dict[str, list[str]] = {}
    for name, (config, folder) in runs.items():
        if name not in taken and not _begun(folder):
            forms.setdefault(form(config), []).append(name)
    for names in forms.values():
        config = runs[names[0]][0]
        most = choose_points(make_mesh(config.mesh.data), config.points_per_program)
        share = -(-len(names) // -(-len(names) // most))
        together = [names[i : i + share] for i in range(0, len(names), share)]
        stacks += [(some, _folder(some, runs, workdir)) for some in together if len(some) > 1]
    return stacks


def mark(names: list[str], runs: Runs, folder: Path) -> None:
    """Note whose stack the folder holds, so that a killed grid finds it again."""
    folder.mkdir(parents=True, exist_ok=True)
    members = {
        name: {"config_hash": config_hash(runs[name][0]), "config": to_json(runs[name][0])}
        for name in names
    }
    writers.write_json(folder / MEMBERS, members)


def remove(folder: Path) -> None:
    """Remove a stack whose points have their results."""
    shutil.rmtree(folder)
    with contextlib.suppress(OSError):  # of another stack
        folder.parent.rmdir()


def _under_way(runs: Runs, workdir: Path) -> list[tuple[list[str], Path]]:
    stacks = []
    for path in sorted((workdir / STACKS).glob(f"*/{MEMBERS}")):
        held = json.loads(path.read_text())
        if not held.keys() <= runs.keys() or not _has_checkpoints(path.parent):
            continue
        for name, member in held.items():
            config = runs[name][0]
            if member["config_hash"] != config_hash(config):
                changed = differences(member["config"], to_json(config))
                raise UserError(
                    f"{workdir} holds a grid under way whose {name} has another config:\n  "
                    + "\n  ".join(changed[:10])
                    + f"\nchoose another --workdir, or remove {path.parent}"
                )
        stacks.append((list(held), path.parent))
    return stacks


def _begun(folder: Path) -> bool:
    return results.read(folder) is not None or _has_checkpoints(folder)


def _has_checkpoints(folder: Path) -> bool:
    return any((folder / checkpoint.NAME).glob("[0-9]*"))


def _folder(names: list[str], runs: Runs, workdir: Path) -> Path:
    said = json.dumps({name: config_hash(runs[name][0]) for name in names})
    return workdir / STACKS / hashlib.sha256(said.encode()).hexdigest()[:12]
