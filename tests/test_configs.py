"""Every config builds at full size, and each kind of run takes one real step at a tiny one."""

import importlib
import math
from functools import reduce
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import quickstart, vgg_dae
from fer_jax import grid, metrics
from fer_jax.configuring import LATER, is_grid, is_study, load_config, to_json
from fer_jax.errors import UserError
from fer_jax.optim import label_parameters
from fer_jax.results import count_parameters
from fer_jax.summary import abstract_state
from fer_jax.train import make_step
from tests.tiny import NETWORK, draw_batch, make_parts

FOLDER = Path(__file__).resolve().parent.parent / "configs"
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
RUNNABLE = [name for name in NAMES if name != "common"]


def variants_of(name: str) -> list[str]:
    """Give all variants of a config file; "" is none."""
    if name == "vgg_dae":
        runs = ("study", *vgg_dae.HYBRIDS)
        joined = [f"{run},{scale}" for run in runs for scale in vgg_dae.SCALES]
        return ["", *runs, *vgg_dae.SCALES, *joined]
    return ["", *getattr(importlib.import_module(f"configs.{name}"), "VARIANTS", {})]


REFERENCES = [
    f"configs/{name}.py:{variant}".removesuffix(":")
    for name in NAMES for variant in variants_of(name)
]


def runs_of(config) -> dict:
    if not is_study(config):
        return {"": config}
    runs = grid.runs_of(config)
    # A grid's points have one network, so the first stands for them all.
    return {name: runs[name] for name in list(runs)[: 1 if is_grid(config) else None]}


@pytest.fixture(scope="module")
def count():
    """Count a run's parameters at full size; configs of one network and optimizer share a trace."""
    known = {}

    def count(config) -> dict[str, int]:
        described = to_json(config)
        fields = ("model", "optim", "preprocess")
        name = repr([described["data"]["dataset"], *(described[field] for field in fields)])
        if name not in known:
            known[name] = count_parameters(abstract_state(config), rules=config.optim.rules)
        return known[name]

    return count


@pytest.mark.parametrize("reference", REFERENCES)
def test_every_config_builds_at_full_size(reference, count):
    for run in runs_of(load_config(reference)).values():
        counts = count(run)
        if not run.epochs:  # it trains nothing: the DAE, the VGG and its BatchNorm are frozen
            assert counts["trainable"] == 0
            continue
        assert counts["trainable"] > 0
        # Only hybrid A freezes, and what it freezes is the whole DAE: 12,465, or with 8 and 16
        # filters 80 + 1,168 + 2,320 + 1,160 + 73.
        daes = {(16, 24): 12_465, (8, 16): 4_801}
        is_hybrid_a = run.model.get("variant") == "A"
        assert counts["frozen"] == (daes[tuple(run.model.filters)] if is_hybrid_a else 0)
        make_step(run, model=None, tx=None)


# Trainable parameters that a paper prints or that follow from what it prints; the sums are in
# tests/models/.
PAPER_COUNTS = {
    "vgg": 33_644_103,
    "dae": 12_465,
    "alizadeh_shallow": 9_517_191,
    "alizadeh_deep": 4_474_759,
    "agrawal_fcn": 464_231,
    "alexnet": 57_032_519,
    "vgg16_dick": 39_941_063,
    "resnet9": 6_572_679,
    "resnet9_as_printed": 6_573_192,
}


@pytest.mark.parametrize("name", PAPER_COUNTS)
def test_a_config_has_its_papers_count(name, count):
    assert count(load_config(f"configs/{name}.py"))["trainable"] == PAPER_COUNTS[name]


def test_a_study_has_its_runs_in_order():
    # A and B stand on the DAE or beside the VGG, so those come first.
    assert list(load_config("configs/vgg_dae.py").runs) == ["dae", "vgg", "A", "B"]
    assert list(load_config("configs/quickstart.py").runs) == ["dae", "vgg", "A", "B", "linear"]


@pytest.mark.parametrize("scale", vgg_dae.SCALES)
def test_a_study_is_its_single_runs(scale):
    study = load_config(f"configs/vgg_dae.py:{scale}").runs
    for name in ("dae", "vgg"):
        assert to_json(study[name]) == to_json(load_config(f"configs/{name}.py:{scale}"))
    for name in ("A", "B"):
        single = to_json(load_config(f"configs/vgg_dae.py:{name},{scale}"))
        # Within a study the DAE is the study's own; alone it is the config of the same scale.
        if name == "A":
            assert single.pop("init") == {"dae": f"configs/dae.py:{scale}"}
            assert study[name].init.to_dict() == {"dae": "runs.dae"}
            single["init"] = {"dae": "runs.dae"}
        assert to_json(study[name]) == single


@pytest.mark.parametrize("variant", ["A,B", "small,as_printed", "study,A"])
def test_joined_variants_that_contradict_each_other_are_refused(variant):
    with pytest.raises(UserError, match=f"'{variant}' asks for two things at once"):
        load_config(f"configs/vgg_dae.py:{variant}")


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_config_opens_with_command_time_and_expectation(name):
    lines = importlib.import_module(f"configs.{name}").__doc__.splitlines()
    assert lines[0].endswith(".") and lines[1] == ""
    marks = [line.partition(" ")[0] for line in lines if line[:1].isupper()][1:]
    assert marks[:3] == ["Command:", "Time:", "Expected:"]
    command = next(line for line in lines if line.startswith("Command:"))
    assert f"python -m fer_jax.main --config=configs/{name}.py" in command


# What makes a network small, where `NETWORK` is not about its fields.
SMALL_BLOCKS = {"blocks": ((4, 3), (8, 3)), "dense": (8,)}
SMALL_NETWORKS = {
    "alizadeh_shallow": SMALL_BLOCKS,
    "alizadeh_deep": SMALL_BLOCKS,
    "agrawal_fcn": {"widths": (4, 8), "kernel": 4, "pool_after": (1,)},
    "custom_cnn": SMALL_BLOCKS,
    "alexnet": {"width": 1 / 32},
    "vgg16_dick": {"blocks": ((4, 1), (8, 1)), "dense": (8,)},
    "resnet9": {"stages": ((4, False, False), (8, True, True))},
    "resnet9_as_printed": {"stages": ((4, False, False), (8, True, True))},
    "vgg16": {"blocks": ((4, 1), (8, 1)), "head_filters": (8, 8)},
    "lip_vgg16": {"blocks": ((4, 1), (8, 1)), "head_filters": (8, 8)},
    "se_separable": {"stem": (4,), "modules": (8, 8)},
}

# Each kind of run: what it trains, on what, from what.
STEPS = {
    "dae": load_config("configs/dae.py"),
    "vgg": load_config("configs/vgg.py"),
    **{
        name: load_config(f"configs/vgg_dae.py:{name}")
        for name in vgg_dae.HYBRIDS if name != "in_front"  # takes no step
    },
    "quickstart vgg": quickstart.get_config().runs.vgg,
    "quickstart linear": quickstart.get_config().runs.linear,
    **{name: load_config(f"configs/{name}.py") for name in SMALL_NETWORKS},
}


@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("kind", STEPS)
def test_each_kind_of_run_takes_a_step(kind):
    config = STEPS[kind].copy_and_resolve_references()
    config.model.update(SMALL_NETWORKS.get(kind, NETWORK))
    if config.preprocess.size:
        config.preprocess.size = 63  # the least that AlexNet's pools leave a pixel of
    model, tx, state = make_parts(config)
    after, confusion = jax.jit(make_step(config, model, tx))(state, draw_batch(), jnp.ones(()))
    summary = metrics.summarise(confusion)
    assert (int(after.step), summary["n"]) == (1, 8)
    assert 0 < summary["loss"] < 10 * math.log(7)
    assert (summary["accuracy"] is None) == (config.task == "denoise")
    rules = tuple(map(tuple, config.optim.rules))
    labels = jax.tree.leaves(label_parameters(state.params, rules=rules))
    moved = {"frozen": [], "trained": []}
    for label, before, now in zip(
        labels, jax.tree.leaves(state.params), jax.tree.leaves(after.params), strict=True
    ):
        moved["frozen" if label == "frozen" else "trained"].append(bool(np.any(before != now)))
    assert not any(moved["frozen"]) and bool(moved["frozen"]) == (kind == "A")
    # A filter that never fires has no gradient; most do.
    assert np.mean(moved["trained"]) > 0.5


# Results that are in the repository, or on their way there, were trained by these optimizers:
# the name, the rate and the schedule of each network's `small`.
SMALL_TRAINING = {
    "networks": {
        "resnet9": ("adam", 1e-3, "cosine"),
        "alizadeh_shallow": ("adam", 1e-3, "cosine"),
        "se_separable": ("adam", 1e-3, "cosine"),
        "agrawal_fcn": ("adam", 3e-3, "cosine"),
        "alizadeh_deep": ("adam", 1e-3, "cosine"),
    },
    "lip_pooling": {
        f"{pool}_{seed}": ("adam", 1e-3, "cosine") for pool in ("max", "lip") for seed in range(3)
    },
}


@pytest.mark.parametrize("study", SMALL_TRAINING)
def test_small_studies_train_as_their_results_were(study):
    runs = load_config(f"configs/{study}.py:small").runs
    assert set(runs) == set(SMALL_TRAINING[study])
    for name, run in runs.items():
        optim = run.optim
        assert (optim.name, optim.learning_rate, optim.schedule) == SMALL_TRAINING[study][name]
        fields = to_json(run)
        later = {path: reduce(dict.get, path.split("."), fields) for path in LATER}
        assert later == LATER, "what came later is off"


@pytest.mark.parametrize(
    "reference, fields",
    [
        ("alizadeh_shallow:as_printed", {"l2": 1e-7, "learning_rate": 0.01}),
        ("alizadeh_deep", {"l2": 1e-7}),
        ("agrawal_fcn:as_printed", {"l2": 1e-7, "learning_rate": 0.01}),
        ("alexnet:as_printed", {"schedule": "step", "step_epochs": 10, "step_factor": 0.1}),
        ("vgg16", {"name": "sgd", "nesterov": True, "schedule": "cosine"}),
        ("lip_vgg16", {"name": "sgd", "nesterov": True, "schedule": "cosine"}),
    ],
)
def test_a_config_trains_as_its_paper_says(reference, fields):
    name, _, variant = reference.partition(":")
    optim = load_config(f"configs/{name}.py:{variant}".removesuffix(":")).optim
    assert {field: optim[field] for field in fields} == fields
