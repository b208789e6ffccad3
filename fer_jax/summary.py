"""Show a config's network layer by layer, from shapes alone: no data are read, nothing computed."""

from fer_jax.commands.summary import main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

from collections import Counter
from functools import partial
from math import prod
from typing import NamedTuple

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict
from ml_collections import ConfigDict
from rich import box
from rich.table import Table

from fer_jax import models
from fer_jax.checks import explain_network
from fer_jax.configuring import is_study
from fer_jax.data.splits import face_shape
from fer_jax.errors import UsageError, suggest
from fer_jax.grid import runs_of
from fer_jax.optim import label_parameters, make_tx
from fer_jax.preprocess import input_shape, read_preprocess
from fer_jax.state import TrainState, init_state


class Layer(NamedTuple):
    """One layer that has parameters; `rule` is the optimizer's label of them.

    Attributes:
      name: path of its parameters, as in `vgg/conv1_1`.
      kind: name of its module's class.
      output: shape of what it gives for one image, such as `(h, w, c)`.
      rule: "train", "frozen" or another label of `config.optim.rules`.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    statistics: int
    rule: str


def abstract_state(config: ConfigDict, *, data_dir: str | None = None) -> TrainState:
    """Return the shapes and dtypes of a run's fresh state.

    `data_dir` is looked into only for the faces' size in a dataset that is none of ours.

    Raises:
      UserError: the config names a dataset, network or optimizer that there is not.
    """
    stored = face_shape(config.data.dataset, data_dir=data_dir)
    image_shape = input_shape(stored, preprocess=read_preprocess(config))
    initialise = partial(
        init_state,
        model=models.build(config.model),
        tx=make_tx(config.optim, steps_per_epoch=1, epochs=config.epochs),
        image_shape=image_shape,
    )
    with explain_network(image_shape):
        return jax.eval_shape(lambda: initialise(jax.random.key(0)))


def list_layers(config: ConfigDict) -> tuple[list[Layer], TrainState]:
    """List the layers that have parameters in the order they run, and return the abstract state.

    Raises:
      UserError: as `abstract_state` does.
    """
    called = {}

    def record(call, args, kwargs, context):
        output = call(*args, **kwargs)
        if context.method_name == "__call__":
            called[context.module.path] = (type(context.module).__name__, output)
        return output

    with nn.intercept_methods(record):
        state = abstract_state(config)
    rules = tuple(map(tuple, config.optim.rules))
    labels = flatten_dict(label_parameters(state.params, rules=rules))
    rule_of = {path[:-1]: label for path, label in labels.items()}
    parameters, statistics = _sizes(state.params), _sizes(state.batch_stats)
    layers = [
        Layer("/".join(path), kind, output.shape[1:], parameters[path], statistics[path],
              rule_of[path])
        for path, (kind, output) in called.items()
        if path in rule_of
    ]
    return layers, state


def make_table(layers: list[Layer], counts: dict[str, int], *, title: str) -> Table:
    """Make the rich table of at most 80 columns; `counts` are `count_parameters`' totals."""
    caption = (
        f"{counts['trainable']:,} trainable parameters, {counts['frozen']:,} frozen, "
        f"{counts['non_trainable']:,} running statistics"
    )
    table = Table(
        title=title, title_justify="left", caption=caption, caption_justify="left",
        box=box.SIMPLE_HEAD, pad_edge=False,
    )
    for column in ("Layer", "Kind", "Output", "Parameters", "Statistics", "Rule"):
        number = column in ("Output", "Parameters", "Statistics")
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for layer in layers:
        output = "x".join(map(str, layer.output))
        numbers = [f"{n:,}" if n else "" for n in (layer.parameters, layer.statistics)]
        table.add_row(layer.name, layer.kind, output, *numbers, layer.rule)
    return table


def choose_run(config: ConfigDict, name: str | None, *, reference: str) -> ConfigDict:
    """Return the run `name` of a study, or the config itself where it is one run.

    Raises:
      UsageError: a study without a name or with an unknown one, or a name for a single run.
    """
    if not is_study(config):
        if name:
            raise UsageError(f"{reference} is a single run; leave out --run={name}")
        return config
    known = runs_of(config)
    if not name:
        runs = ", ".join(known)
        raise UsageError(f"{reference} is a study; choose one of its runs by --run=NAME: {runs}")
    if name not in known:
        raise UsageError(f"{reference} has no run {name!r}. {suggest(name, known)}")
    return known[name]


def _sizes(tree) -> Counter[tuple[str, ...]]:
    sizes = Counter()
    for path, leaf in flatten_dict(tree).items():
        sizes[path[:-1]] += prod(leaf.shape)
    return sizes
