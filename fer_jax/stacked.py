"""Points of a grid trained as one program: their states stacked, the step vmapped over them.

Points may share a program if they differ in nothing but the fields of `VARIED`. Each has its own
key, order of faces, plateau, best epoch, early stop, alarms and rows of metrics.jsonl, and leaves
behind what a run trained alone does. One that has stopped keeps its state while the others go on.
"""

import json
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from ml_collections import ConfigDict

from fer_jax import checkpoint, models, results, signals, train, writers
from fer_jax.alarms import Watch
from fer_jax.checkpoint import Saved
from fer_jax.data import Split
from fer_jax.dispatch import choose_steps, make_order, put_faces, take_batches
from fer_jax.evaluate import pad_split
from fer_jax.optim import make_tx
from fer_jax.sharding import replicated, split_batch
from fer_jax.state import TrainState
from fer_jax.streaming import streams
from fer_jax.train import Run

# Fields that a program takes as numbers, so that its points may differ in them.
TRACED = (
    "optim.learning_rate", "optim.l2", "optim.weight_decay", "optim.momentum", "optim.beta1",
    "optim.beta2", "optim.epsilon", "model.dropout",
)
# Those, of which 0 leaves out a part of the program: 0 and another value cannot share one.
SWITCHES = ("optim.l2", "optim.weight_decay", "optim.momentum")
# And those that only the host reads; a key is made of the seed.
VARIED = (
    *TRACED, "seed", "early_stopping.patience", "early_stopping.min_delta", "restore_best",
)
# All points take their steps together, so they have one count of them.
AXES = TrainState(**{f: 0 for f in TrainState._fields if f != "step"}, step=None)


class Point(NamedTuple):
    """A point to train: its run's config and workdir, and what it starts from."""

    config: ConfigDict
    workdir: Path
    start: dict[str, Any]
    upstream: dict[str, Any]


def form(config: ConfigDict) -> str:
    """Return what must be the same of two configs that share a program, as text."""
    fields = ConfigDict(config).to_dict()
    on = []
    # Classes are weighed by the faces' counts, and the seed may draw other faces.
    weighed = fields["loss"]["class_weights"] != "none"
    for path in VARIED:
        if weighed and path == "seed":
            continue
        *folders, name = path.split(".")
        table = fields
        for folder in folders:
            table = table.get(folder, {})
        value = table.pop(name, None)
        on += [bool(value)] if path in SWITCHES else []
    return json.dumps([fields, on], sort_keys=True)


def train_stack(points: list[Point], folder: Path, *, data_dir: str | None = None) -> None:
    """Train points of one `form` as one program, and write the results of each.

    The whole stack is checkpointed in `folder` while it is under way.

    Raises:
      Stopped: SIGTERM or Ctrl-C; the stack is saved and the same call goes on from it.
    """
    runs = prepare(points, data_dir)
    for point in points:
        identified = results.identify(point.upstream)
        results.claim(point.workdir, point.config, upstream=identified)
    with checkpoint.open_checkpoints(folder) as checkpointer:
        saved = fit(runs, folder, checkpointer)
    for i, (run, point) in enumerate(zip(runs, points, strict=True)):
        if results.read(run.workdir) is None:
            _finish(run, point, saved, i, points=len(points), data_dir=data_dir)


def fit(runs: list[Run], folder: Path, checkpointer: Any) -> Saved:
    """Train the stack from its newest checkpoint, or the start, until each point has stopped.

    The stack's `Saved` has a leading axis of points everywhere but in `state.step`. Its loop has
    the points' own loops as `points`.
    """
    first, title = runs[0], f"{len(runs)} points"
    config, mesh = first.config, first.mesh
    saved = begin(runs)
    saved = checkpoint.restore(checkpointer, saved) or saved
    if int(saved.state.step):
        logging.info("%s go on from step %d", title, int(saved.state.step))
    steps = choose_steps(mesh, config.steps_per_dispatch)
    program = make_program(runs)
    judge = train.make_judge(first)
    orders = [
        make_order(
            run.splits["train"].labels, balance=config.balance, batch_size=config.batch_size
        )
        for run in runs
    ]
    padded: dict[int, Any] = {}
    watches = []
    for run in runs:
        split = run.splits["validation"]
        if id(split) not in padded:
            padded[id(split)] = pad_split(split, mesh, batch_size=config.evaluation.batch_size)
        watches.append(Watch(run, padded[id(split)]))
    total = config.epochs * first.steps_per_epoch
    with (
        signals.collected() as requested,
        ExitStack() as stack,
        writers.show_progress(title, total=total, done=int(saved.state.step)) as display,
    ):
        logs = [
            stack.enter_context(closing(writers.MetricsLog(run.workdir, keep_epochs=own["epoch"])))
            for run, own in zip(runs, saved.loop["points"], strict=True)
        ]
        while saved.loop["epoch"] < config.epochs and not saved.loop["stop"]:
            began, step = time.monotonic(), int(saved.state.step)
            going = [i for i, own in enumerate(saved.loop["points"]) if not own["stop"]]
            saved = train.run_epoch(
                first, saved, partial(program, draw_orders(orders, saved)),
                checkpointer, requested, display, steps=steps, points=len(going),
            )
            images = (int(saved.state.step) - step) * config.batch_size
            seconds = time.monotonic() - began
            rows, saved = _close_epoch(runs, saved, going, watches, judge)
            # The time of all: the points that share it are said in the results' cost.
            cost = {"images_per_second": images / seconds, "seconds": time.monotonic() - began}
            for i, row in rows.items():
                logs[i].append(row | cost)
                for alarm in row["alarms"]:
                    logging.warning("%s, epoch %d: %s", runs[i].workdir.name, row["epoch"], alarm)
            losses = {i: row["validation_loss"] for i, row in rows.items()}
            best = min(rows, key=lambda i: float("inf") if losses[i] is None else losses[i])
            all_of_them = {"images_per_second": len(going) * cost["images_per_second"]}
            line = writers.epoch_line(
                f"{len(going)} points, best", rows[best] | cost | all_of_them, epochs=config.epochs
            )
            display.line(line)
            checkpoint.save(checkpointer, saved)
            if requested:
                train.stop(requested[0], checkpointer, saved)
    return saved


def make_program(runs: list[Run]) -> Any:
    """Compile the step of all points; `program(orders, saved, first, last)` takes some of an epoch.

    The faces are on the devices once, or once a point where the seed draws other ones. With as many
    points as devices, or a multiple, each device has its share of the points; else all have all.
    """
    first = runs[0]
    config, mesh = first.config, first.mesh
    values = _values(runs)
    same = all(run.splits is first.splits for run in runs)
    if streams(config, first.splits["train"]):
        logging.warning(
            "warning: points of one program have their faces on the devices, whatever "
            "config.data.device_budget_mb; with config.points_per_program=1 they stream"
        )
    faces = put_faces(first.splits["train"] if same else _stack_splits(runs), mesh)

    def step(state, totals, going, scale, values, faces, index):
        own = config.copy_and_resolve_references()
        with own.ignore_type():
            own.update_from_flattened_dict(values)
        tx = make_tx(own.optim, steps_per_epoch=first.steps_per_epoch, epochs=own.epochs)
        batch = jax.tree.map(lambda array: array[index], faces)
        one = train.make_step(own, models.build(own.model), tx, faces=first.splits["train"])
        after, confusion = one(state, batch, scale)
        # What a point that has stopped computes is thrown away.
        kept = jax.tree.map(
            lambda new, old: jnp.where(going, new, old),
            after._replace(step=None, key=None), state._replace(step=None, key=None),
        )
        counted = jax.tree.map(lambda count: jnp.where(going, count, 0), confusion)
        return kept._replace(step=after.step, key=state.key), totals + counted

    together = jax.vmap(
        step, in_axes=(AXES, 0, 0, 0, 0, None if same else 0, 0), out_axes=(AXES, 0)
    )
    sharding = _sharding(len(runs), mesh)
    placed = AXES._replace(**{f: sharding for f in AXES._fields if f != "step"})
    placed = placed._replace(step=replicated(mesh))

    @partial(jax.jit, donate_argnums=(0, 1), out_shardings=(placed, sharding))
    def advance(state, totals, going, scale, faces, orders):
        def body(carry, index):
            return together(*carry, going, scale, values, faces, index), None

        if orders.shape[0] == 1:
            return body((state, totals), orders[0])[0]
        return jax.lax.scan(body, (state, totals), orders)[0]

    def program(orders, saved, start, end):
        going = np.array([not own["stop"] for own in saved.loop["points"]])
        going = jax.device_put(going, sharding)
        batches = take_batches(orders, start, end)
        return advance(saved.state, saved.totals, going, saved.plateau.scale, faces, batches)

    return program


def prepare(points: list[Point], data_dir: str | None) -> list[Run]:
    """Prepare the first run and change in its copies what is each point's own."""
    first = train.prepare(
        points[0].config, points[0].workdir, data_dir=data_dir, start=points[0].start
    )
    runs = [first]
    for point in points[1:]:
        splits = first.splits
        if point.config.seed != first.config.seed:
            drawn = results.load_data(point.config, data_dir)
            splits = splits if _equal(splits, drawn) else drawn
        state = first.initialise(jax.random.key(point.config.seed), start=point.start)
        runs.append(
            first._replace(
                config=point.config, workdir=point.workdir, splits=splits, state=state
            )
        )
    return runs


def begin(runs: list[Run]) -> Saved:
    """Stack the points' first states; what only the end needs, the best weights, beside them."""
    mesh = runs[0].mesh
    sharding = _sharding(len(runs), mesh)
    singles = [train.begin(run) for run in runs]
    stack = jax.jit(
        lambda *trees: jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees),
        out_shardings=sharding,
    )
    state, plateau, totals = stack(
        *((one.state._replace(step=None), one.plateau, one.totals) for one in singles)
    )
    state = state._replace(step=singles[0].state.step)
    loop = {
        "epoch": 0, "best_epoch": 0, "best_step": -1, "stop": False,
        "points": [one.loop for one in singles],
    }
    return Saved(state, plateau, totals, loop, best=jax.tree.map(jnp.copy, _weights(state)))


def _close_epoch(runs, saved, going, watches, judge) -> tuple[dict[int, dict[str, Any]], Saved]:
    """Close the epoch of each point that has not stopped, as if it were trained alone."""
    rows, closed = {}, {i: take(saved, i, runs[0].mesh) for i in range(len(runs))}
    for i in going:
        rows[i], closed[i] = train.close_epoch(runs[i], closed[i], watches[i], judge)
    singles = [closed[i] for i in range(len(runs))]
    improved = np.array([
        i in rows and one.loop["best_epoch"] == one.loop["epoch"] for i, one in enumerate(singles)
    ])
    sharding = _sharding(len(runs), runs[0].mesh)
    plateau = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(one.plateau for one in singles))
    loops = [one.loop for one in singles]
    return rows, saved._replace(
        plateau=jax.device_put(plateau, sharding),
        totals=jax.device_put(jax.tree.map(jnp.zeros_like, saved.totals), sharding),
        best=_keep(saved.best, _weights(saved.state), improved),
        loop=saved.loop | {
            "epoch": saved.loop["epoch"] + 1, "points": loops,
            "stop": all(own["stop"] for own in loops),
        },
    )


def take(saved: Saved, i: int, mesh: Mesh) -> Saved:
    """Take one point out of a stack, as the loop of that run alone would have it."""
    tree = saved._replace(state=saved.state._replace(step=None), loop=None, best=None)
    one = jax.device_put(_take(tree, i), replicated(mesh))
    return one._replace(
        state=one.state._replace(step=saved.state.step), loop=saved.loop["points"][i]
    )


@jax.jit
def _take(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


@partial(jax.jit, donate_argnums=0)
def _keep(best, new, improved):
    keep = jax.vmap(lambda old, new, better: jax.tree.map(partial(jnp.where, better), new, old))
    return keep(best, new, improved)


def _finish(run: Run, point: Point, saved: Saved, i: int, *, points: int, data_dir) -> None:
    """Leave what the run of one point leaves: the checkpoint of its weights, and its results."""
    own = take(saved, i, run.mesh)
    loop = own.loop
    step = loop["epoch"] * run.steps_per_epoch
    state = own.state
    if run.config.restore_best:
        # Nothing goes on from here, so the optimizer's state is no matter: it is the last epoch's.
        state, step = state._replace(**_take(saved.best, i)), loop["best_step"]
    state = state._replace(step=jnp.asarray(step, jnp.int32))
    own = own._replace(state=jax.device_put(state, replicated(run.mesh)))
    with checkpoint.open_checkpoints(run.workdir) as checkpointer:
        checkpoint.save(checkpointer, own)
    results.write(
        run.config, run.workdir, run.splits, own, model=run.model, mesh=run.mesh,
        data_dir=data_dir, upstream=point.upstream, points=points,
    )


def _weights(state: TrainState) -> dict[str, Any]:
    """Return what of a state the results are of."""
    held = state._asdict()
    rest = ("step", "opt_state", "key")
    return {name: held[name] for name in held if name not in rest and held[name] is not None}


def _values(runs: list[Run]) -> dict[str, jax.Array]:
    """Return the values `[k]` of the traced fields in which the points differ."""
    found = {}
    for path in TRACED:
        *folders, name = path.split(".")
        tables = [run.config for run in runs]
        for folder in folders:
            tables = [table[folder] for table in tables]
        values = [table.get(name) for table in tables]
        if any(value != values[0] for value in values):
            found[path] = jnp.asarray(values, jnp.float32)
    return found


def draw_orders(orders: list[Callable[..., jax.Array]], saved: Saved) -> jax.Array:
    """Draw each point's order of the epoch as i32 `[steps, k, b]`."""
    keys, epoch = saved.state.key, saved.loop["epoch"]
    return jnp.stack([draw(keys[i], epoch) for i, draw in enumerate(orders)], axis=1)


def _stack_splits(runs: list[Run]) -> Split:
    """Stack the points' training faces `[k, n, ...]`; a protocol draws as many for any seed."""
    each = [run.splits["train"] for run in runs]
    return each[0]._replace(
        **{
            name: np.stack([getattr(split, name) for split in each])
            for name in ("images", "labels", "targets") if getattr(each[0], name) is not None
        }
    )


def _equal(one: dict[str, Split], other: dict[str, Split]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name].images, other[name].images)
        and np.array_equal(one[name].labels, other[name].labels)
        for name in one
    )


def _sharding(points: int, mesh: Mesh) -> NamedSharding:
    return replicated(mesh) if points % mesh.size else split_batch(mesh)
