"""Train one run and evaluate it: epochs, plateau, early stopping, checkpoints; no maths."""

import json
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from fer_jax import (
    checkpoint, epochs, host, metrics, models, processes, results, signals, writers,
)
from fer_jax.alarms import Watch, find_alarms
from fer_jax.averaging import averaged
from fer_jax.checkpoint import Saved
from fer_jax.checks import check_faces, check_run, explain_network
from fer_jax.configuring import to_json
from fer_jax.data import Split
from fer_jax.data.ferplus import rules_by_split
from fer_jax.dispatch import Dispatch, make_dispatch, make_order, put_faces, take_batches
from fer_jax.errors import UserError
from fer_jax.evaluate import pad_split
from fer_jax.losses import TARGET_LOSSES, balanced_weights, soft_cross_entropy
from fer_jax.metrics import Confusion
from fer_jax.optim import make_plateau, make_schedule, make_tx
from fer_jax.preprocess import input_shape, read_preprocess
from fer_jax.sharding import check_batch, make_mesh, put, replicated
from fer_jax.state import TrainState, evaluated, init_state, variables
from fer_jax.steps import Inputs, Loss, classify_step, denoise_step
from fer_jax.streaming import streamed, streams


class Stopped(UserError):
    """A signal asked the run to stop; its state is saved."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.exit_code = 128 + signal_number


class Run(NamedTuple):
    """What a run consists of, ready to train; `initialise(key, start=...)` makes a first state."""

    config: ConfigDict
    workdir: Path
    mesh: Mesh
    splits: dict[str, Split]
    model: Any
    tx: Any
    state: TrainState
    steps_per_epoch: int
    initialise: Callable[..., TrainState]


def train_and_evaluate(
    config: ConfigDict,
    workdir: Path,
    *,
    data_dir: str | None = None,
    start: dict[str, Any] | None = None,
    upstream: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train the run that `config` describes, or go on with it, and write its results.

    Args:
      workdir: gets the checkpoints, metrics.jsonl and results.json; a finished run is not redone.
      data_dir: folder of the prepared datasets.
      start: parameters and running statistics that do not start anew, as `init_state` takes them.
      upstream: what the results say of where those are from, by `results.identify`'s names.

    Returns the results, as in results.json.

    Raises:
      UserError: a config that cannot be run, data that are not there, a workdir of another config.
      Stopped: SIGTERM or Ctrl-C; the state is saved and the same call goes on from it.
    """
    finished = results.claim(workdir, config, upstream=results.identify(upstream or {}))
    if finished is not None:
        return finished
    run = prepare(config, workdir, data_dir=data_dir, start=start)
    described = json.dumps(to_json(config), sort_keys=True).encode()
    keys = [split.keys.tobytes() for split in run.splits.values()]
    processes.check_same("the config or the faces", described, *keys)
    with checkpoint.open_checkpoints(workdir) as checkpointer:
        saved = fit(run, checkpointer)
        if config.restore_best and saved.loop["best_step"] != int(saved.state.step):
            saved_best = checkpoint.restore(
                checkpointer, saved, step=saved.loop["best_step"]
            )
            if saved_best is None:
                raise UserError(
                    f"the checkpoint of the best epoch, {saved.loop['best_epoch']}, is gone from "
                    f"{workdir}; remove that folder and run it again"
                )
            saved = saved._replace(state=saved_best.state)
    return results.write(
        config, workdir, run.splits, saved,
        model=run.model, mesh=run.mesh, data_dir=data_dir, upstream=upstream,
    )


def prepare(
    config: ConfigDict,
    workdir: Path,
    *,
    data_dir: str | None = None,
    start: dict[str, Any] | None = None,
    mesh: Mesh | None = None,
) -> Run:
    """Load the data and make model, optimizer and initial state of a run.

    `mesh` is where it runs, if not where the config says.
    """
    check_run(config)
    mesh = mesh or make_mesh(config.mesh.data)
    check_batch(config.batch_size, mesh)
    splits = results.load_data(config, data_dir)
    n = len(splits["train"].labels)
    steps_per_epoch = n // config.batch_size
    if not steps_per_epoch:
        raise UserError(
            f"config.batch_size is {config.batch_size}, more than the {n} training faces; lower it"
        )
    if config.epochs and steps_per_epoch * config.epochs < config.optim.accumulate:
        raise UserError(
            f"config.optim.accumulate is {config.optim.accumulate}, and the whole run has "
            f"{steps_per_epoch * config.epochs} batches, so nothing would be learned; lower it"
        )
    model = models.build(config.model)
    tx = make_tx(config.optim, steps_per_epoch=steps_per_epoch, epochs=config.epochs)
    stored = splits["train"].images.shape[1:]
    check_faces(config, stored)
    image_shape = input_shape(stored, preprocess=read_preprocess(config))
    initialise = partial(
        init_state, model=model, tx=tx, image_shape=image_shape, average=config.ema > 0
    )
    # Made inside jit: a replicated device_put that is donated later would delete its source.
    make_state = jax.jit(initialise, out_shardings=replicated(mesh))
    with explain_network(image_shape):
        state = make_state(jax.random.key(config.seed), start=start or {})
    return Run(
        config, Path(workdir), mesh, splits, model, tx, state, steps_per_epoch, make_state
    )


def make_step(config: ConfigDict, model: Any, tx: Any, *, faces: Split | None = None) -> Any:
    """Return the step of the config's task, with its static options filled in.

    `faces` are those it trains on, whose classes "balanced" weights count.
    """
    step = _make_task_step(config, model, tx, faces=faces)
    if not config.ema:
        return step
    return averaged(step, decay=config.ema, accumulate=config.optim.accumulate)


def _make_task_step(config: ConfigDict, model: Any, tx: Any, *, faces: Split | None) -> Any:
    strength = tuple(config.train_strength) or float(config.distortion.strength)
    augmentation = config.augmentation.to_dict()
    alphas = {name: float(augmentation.pop(name)) for name in ("cutmix", "mixup")}
    resized_crop = tuple(augmentation["resized_crop"])
    # A rotation by nothing would still interpolate every face.
    rotate = tuple(augmentation["rotate"]) if any(augmentation["rotate"]) else None
    inputs = Inputs(
        augmentation=tuple(sorted(
            {**augmentation, "rotate": rotate, "resized_crop": resized_crop}.items()
        )),
        distortion=config.distortion.name if config.train_distortion else "clean",
        strength=strength,
        share=float(config.train_distortion),
        preprocess=read_preprocess(config),
        mix=tuple(item for item in alphas.items() if item[1]),
    )
    if config.task == "denoise":
        return partial(
            denoise_step, model=model, tx=tx, inputs=inputs, classes=config.model.classes
        )
    rules = rules_by_split(config.data.protocol) or {"train": None}
    weights = ()
    if config.loss.class_weights == "balanced" and faces is not None:
        weights = balanced_weights(faces.labels, faces.targets, classes=config.model.classes)
    return partial(
        classify_step, model=model, tx=tx, inputs=inputs,
        reconstruction_weight=float(config.reconstruction_weight),
        loss=Loss(
            TARGET_LOSSES.get(rules["train"], soft_cross_entropy),
            class_weights=weights,
            label_smoothing=float(config.loss.label_smoothing),
        ),
    )


def fit(run: Run, checkpointer: Any) -> Saved:
    """Train from the newest checkpoint, or the start, to the last epoch or an early stop."""
    config, title = run.config, run.workdir.name
    judge, first = make_judge(run), begin(run)
    saved = checkpoint.restore(checkpointer, first) or first
    if int(saved.state.step):
        logging.info("%s goes on from step %d", title, int(saved.state.step))
    dispatch = make_dispatch(
        make_step(config, run.model, run.tx, faces=run.splits["train"]), run.mesh,
        steps=config.steps_per_dispatch,
    )
    draw_order = make_order(
        run.splits["train"].labels, balance=config.balance, batch_size=config.batch_size
    )
    resident = not streams(config, run.splits["train"])
    faces = put_faces(run.splits["train"], run.mesh) if resident else None
    watch = Watch(run, pad_split(
        run.splits["validation"], run.mesh, batch_size=config.evaluation.batch_size
    ))
    total = config.epochs * run.steps_per_epoch
    with (
        signals.collected() as requested,
        closing(writers.MetricsLog(run.workdir, keep_epochs=saved.loop["epoch"])) as log,
        writers.show_progress(title, total=total, done=int(saved.state.step)) as display,
    ):
        while saved.loop["epoch"] < config.epochs and not saved.loop["stop"]:
            began, step = time.monotonic(), int(saved.state.step)
            indices = draw_order(saved.state.key, saved.loop["epoch"])
            with feed(run, saved, dispatch, faces, indices) as advance:
                saved = run_epoch(
                    run, saved, advance, checkpointer, requested, display, steps=dispatch.steps
                )
            images = (int(saved.state.step) - step) * config.batch_size
            seconds = time.monotonic() - began
            host.release_freed_memory()
            row, saved = close_epoch(run, saved, watch, judge)
            host.release_freed_memory()
            row |= {"images_per_second": images / seconds, "seconds": time.monotonic() - began}
            log.append(row)
            display.line(writers.epoch_line(title, row, epochs=config.epochs))
            for alarm in row["alarms"]:
                logging.warning("%s, epoch %d: %s", title, row["epoch"], alarm)
            checkpoint.save(checkpointer, saved)
            heard, = processes.agree(requested[0] if requested else 0)
            if heard:
                stop(heard, checkpointer, saved)
    if not config.epochs:  # it is what it starts from
        checkpoint.save(checkpointer, saved)
    return saved


def begin(run: Run) -> Saved:
    """Return what the loop of a run begins with."""
    rest = make_plateau(run.config.optim.plateau).init({}), metrics.empty(run.config.model.classes)
    plateau, totals = put(rest, replicated(run.mesh))
    return Saved(run.state, plateau, totals, loop=dict(epochs.FRESH))


def make_judge(run: Run) -> Callable[[Any, float], Any]:
    """Return the update of the plateau rule's state by the value of an epoch."""
    plateau = make_plateau(run.config.optim.plateau)
    # Compiled once: run as it is, its condition is compiled, and kept in memory, at every call.
    return jax.jit(
        lambda state, value: plateau.update({}, state, value=value)[1],
        out_shardings=replicated(run.mesh),
    )


@contextmanager
def feed(
    run: Run, saved: Saved, dispatch: Dispatch, faces: Any, indices: jax.Array
) -> Iterator[Callable[[Saved, int, int], tuple[TrainState, Confusion]]]:
    """Give what `run_epoch` dispatches the rest of an epoch by, whose index batches are `indices`.

    `faces` are the resident ones; None streams the batches.
    """

    def advance(take, saved, first, last):
        return dispatch.train(
            saved.state, saved.totals, faces, take(first, last), saved.plateau.scale
        )

    if faces is not None:
        yield partial(advance, partial(take_batches, indices))
        return
    start = int(saved.state.step) - saved.loop["epoch"] * run.steps_per_epoch
    with streamed(
        run.splits["train"], np.asarray(indices), run.mesh, start=start, steps=dispatch.steps
    ) as take:
        yield partial(advance, take)


def run_epoch(
    run: Run,
    saved: Saved,
    dispatch: Callable[[Saved, int, int], tuple[TrainState, Confusion]],
    checkpointer: Any,
    requested: list[int],
    display: writers.Display,
    *,
    steps: int,
    points: int = 1,
) -> Saved:
    """Run the rest of the current epoch; a signal saves and stops it between two dispatches.

    `dispatch(saved, first, last)` takes those steps of the epoch, at most `steps`, and returns the
    new state and totals; of so many `points` of a grid together, where it is not one run. While the
    host waits for one dispatch the next is under way, and all transfers are explicit.
    """
    config = run.config
    step = int(jax.device_get(saved.state.step))
    position = told = step - saved.loop["epoch"] * run.steps_per_epoch
    shown = last_save = time.monotonic()
    under_way = position, None
    while position < run.steps_per_epoch:
        last = min(position + steps, run.steps_per_epoch)
        state, totals = dispatch(saved, position, last)
        saved = saved._replace(state=state, totals=totals)
        position = last
        # A copy, because the next dispatch takes the totals by donation.
        before, under_way = under_way, (position, _copy(totals))
        # Waiting for the dispatch before keeps the queue short, so that a signal is heard soon, and
        # the device busy. Several processes agree after each, and that must not meet a dispatch
        # under way: on CPUs the two may run in another order in each process, and none ever ends.
        ahead = position < run.steps_per_epoch and not processes.several()
        reached, counted = before if ahead else under_way
        jax.block_until_ready(counted)
        now = time.monotonic()
        if counted is not None and (now - shown > 0.25 or position == run.steps_per_epoch):
            speed = points * (reached - told) * config.batch_size / (now - shown)
            text = writers.progress_text(
                saved.loop["epoch"] + 1, config.epochs, jax.device_get(counted), speed
            )
            display.advance(reached - told, text)
            shown, told = now, reached
        if position == run.steps_per_epoch:
            break  # the epoch is closed before it is saved
        slow = now - last_save > 60 * config.checkpoint_minutes
        heard, slow = processes.agree(requested[0] if requested else 0, int(slow))
        if heard or slow:
            checkpoint.save(checkpointer, saved)
            last_save = now
        if heard:
            stop(heard, checkpointer, saved)
    return saved


@jax.jit
def _copy(totals: Confusion) -> Confusion:
    return jax.tree.map(jnp.copy, totals)


def stop(number: int, checkpointer: Any, saved: Saved) -> NoReturn:
    """Wait until the state is saved, then end the run."""
    checkpointer.wait()
    raise Stopped(
        f"{signal.Signals(number).name}: saved at step {int(saved.state.step)}; "
        "the same command goes on from there",
        number,
    )


def close_epoch(
    run: Run, saved: Saved, watch: Watch, judge: Callable[[Any, float], Any]
) -> tuple[dict[str, Any], Saved]:
    """Validate, and decide what the epoch means for the rate, the best epoch and stopping."""
    trained = metrics.summarise(saved.totals)
    validation, facts = watch.validate(evaluated(saved.state))
    if saved.state.ema is not None:
        validation = epochs.merge_raw(validation, watch.validate(variables(saved.state))[0])
    loop = epochs.close_epoch(
        run.config, saved.loop, trained, validation, step=int(saved.state.step)
    )
    row = epochs.describe_epoch(
        loop["epoch"], trained, validation,
        learning_rate=_learning_rate(run, saved),
        alarms=find_alarms(trained, validation, facts),
        watched=epochs.watched(run.config),
    )
    plateau = judge(
        saved.plateau, epochs.cost_of(validation, run.config.optim.plateau.metric)
    )
    empty = jax.tree.map(jnp.zeros_like, saved.totals)
    return row, saved._replace(plateau=plateau, totals=empty, loop=loop)


def _learning_rate(run: Run, saved: Saved) -> float:
    """Return the rate of the epoch's last update, reductions on plateaus included."""
    config, every = run.config, run.config.optim.accumulate
    schedule = make_schedule(
        config.optim, steps_per_epoch=run.steps_per_epoch, epochs=config.epochs
    )
    updates = max(int(saved.state.step) // every, 1)
    return float(schedule((updates - 1) * every) * saved.plateau.scale)
