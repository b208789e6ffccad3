"""An experiment is a list of runs: train what is missing, then write the paper's tables and figures.

`python -m experiments.NAME [--scale=smoke|cpu|full] [--list] [--workdir=DIR] [--data_dir=DIR]`
"""

import logging
import os
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from experiments.scales import SCALES, SMOKE, shrink
from fer_jax.arguments import Parser, check_folder
from fer_jax.configuring import find_field, load_config
from fer_jax.data.splits import default_data_dir
from fer_jax.errors import UsageError, UserError, run_command, suggest

# Names of launch.LAUNCHERS. What trains and draws is imported where it is used: it takes seconds,
# which nobody should wait for who asks for help.
LAUNCHERS = ("local", "cores", "gpus", "submitit")


class Spec(NamedTuple):
    """One line of an experiment's list: a config, what is changed in it, and its seeds.

    Attributes:
      name: of its runs' folders; several seeds are told apart as NAME-seed1.
      config: FILE[:VARIANT], as main takes it.
      changes: fields by their path, such as {"optim.learning_rate": 1e-3}.
      init: its config.init; "runs.NAME" is the run of that name and of the same seed.
      seeds: one run for each.
      dataset: that must be prepared for it, if it is one that not every user has.
    """

    name: str
    config: str
    changes: dict[str, Any] = {}
    init: dict[str, str] = {}
    seeds: tuple[int, ...] = (0,)
    dataset: str = ""


class Experiment(NamedTuple):
    """What a paper's experiment runs at each scale, and whose numbers it is held against.

    Attributes:
      name: of the module and of the folder of its runs.
      title: the paper in a line.
      paper: the paper's id in paper_numbers.json; "" for an experiment of our own.
      specs: the runs by scale; "smoke" is "cpu" on few synthetic faces with tiny networks.
      combined: the splits on which its classifiers are combined into ensembles, in
        WORKDIR/ensemble, ensemble-SPLIT for those behind the first; () for none.
      baseline: the line of the list that the others are held against, seed by seed; "" for none.
    """

    name: str
    title: str
    paper: str
    specs: dict[str, Sequence[Spec]]
    combined: tuple[str, ...] = ()
    baseline: str = ""


def build(experiment: Experiment, scale: str, *, data_dir: str | None = None) -> ConfigDict:
    """Return the study of all runs of an experiment at a scale.

    Runs on a dataset that only some users have are left out where it is not prepared.

    Raises:
      UsageError: a spec changes a field that its config does not have.
    """
    specs = experiment.specs["cpu" if scale == SMOKE else scale]
    wanted = {}
    for spec in specs:
        if spec.dataset and not _prepared(spec.dataset, data_dir):
            continue
        for seed in spec.seeds[:1] if scale == SMOKE else spec.seeds:
            several = len(spec.seeds) > 1 and scale != SMOKE
            wanted[f"{spec.name}-{seed}" if several else spec.name] = spec, seed
    runs = {}
    for name, (spec, seed) in wanted.items():
        config = _configure(spec, seed, wanted)
        runs[name] = shrink(config) if scale == SMOKE else config
    return ConfigDict({"runs": ConfigDict(runs, sort_keys=False)}, sort_keys=False)


def _prepared(dataset: str, data_dir: str | None) -> bool:
    return (Path(data_dir or default_data_dir()).expanduser() / f"{dataset}.npz").is_file()


def _configure(spec: Spec, seed: int, runs: Container[str]) -> ConfigDict:
    from fer_jax.study import SIBLING

    config = load_config(spec.config)
    config.seed = seed
    if spec.init:
        of_seed = {part: f"{run}-{seed}" for part, run in spec.init.items()}
        config.init = ConfigDict({
            part: of_seed[part] if of_seed[part].removeprefix(SIBLING) in runs else run
            for part, run in spec.init.items()
        })
    for path in spec.changes:
        find_field(config, path)
    config.update_from_flattened_dict(spec.changes)
    return config


def states(config: ConfigDict, workdir: Path) -> list[tuple[str, str]]:
    """Give each run's name and state: "finished", "begun, epoch 3 of 50" or "missing"."""
    return [(name, _state(config.runs[name], workdir / name)) for name in config.runs]


def _state(config: ConfigDict, folder: Path) -> str:
    from fer_jax import checkpoint, results, writers

    if results.read(folder) is not None:
        return "finished"
    epochs = len(writers.read_metrics(folder))
    begun = epochs or any((folder / checkpoint.NAME).glob("[0-9]*"))
    return f"begun, epoch {epochs} of {config.epochs}" if begun else "missing"


def command(experiment: Experiment, argv: list[str] | None = None) -> int:
    """Run an experiment's command line; return its exit code."""
    return run_command(lambda argv=None: _main(experiment, argv))(argv)


def _main(experiment: Experiment, argv: list[str] | None) -> None:
    flags = _parser(experiment).parse_args(argv)
    from fer_jax import host

    if flags.cores:  # before JAX starts its threads, which would keep to all of them
        os.sched_setaffinity(0, flags.cores)
    host.prepare_process()
    workdir = flags.workdir or Path("runs") / f"{experiment.name}-{flags.scale}"
    check_folder(workdir)
    config = build(experiment, flags.scale, data_dir=flags.data_dir)
    if flags.list:
        for name, state in states(config, workdir):
            print(f"{name:<32} {state}")
        return
    if flags.only and flags.only not in config.runs:
        raise UsageError(f"--only={flags.only}: no such run. {suggest(flags.only, config.runs)}")
    from experiments import launch, pages
    from fer_jax import study
    from fer_jax.checks import check_config

    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    logging.getLogger("jax").setLevel(logging.WARNING)
    check_config(config)
    if flags.only:
        launch.train_one(config, flags.only, workdir, data_dir=flags.data_dir)
        return
    worker = ["-m", f"experiments.{experiment.name}", f"--scale={flags.scale}",
              f"--workdir={workdir}", *([f"--data_dir={flags.data_dir}"] if flags.data_dir else [])]
    launch.LAUNCHERS[flags.launcher](config, workdir, worker, flags)
    # With every run finished this only collects them and writes the study's report.
    study.run(config, workdir, data_dir=flags.data_dir)
    for split in experiment.combined[: 1 if flags.scale == SMOKE else None]:
        first = split == experiment.combined[0]
        combine(
            workdir, workdir / ("ensemble" if first else f"ensemble-{split}"), split=split,
            data_dir=flags.data_dir,
        )
    for path in pages.write_pages(
        experiment.name, experiment.title, experiment.paper, workdir,
        baseline=experiment.baseline, data_dir=flags.data_dir,
    ):
        print(f"wrote {path}")


def combine(
    workdir: Path, folder: Path, *, split: str = "test", data_dir: str | None = None
) -> None:
    """Combine a study's classifiers by every rule, with weights from their validation faces.

    What comes of it on the faces of `split` is written into `folder`.

    Raises:
      UserError: the command that does it has failed; it has said why.
    """
    from fer_jax import ensemble

    place = [f"--data_dir={data_dir}"] if data_dir else []
    if ensemble.main([str(workdir), f"--out={folder}", f"--split={split}", *place]):
        raise UserError(f"the runs of {workdir} could not be combined")


def _cores(text: str) -> set[int]:
    cores = {int(core) for core in text.split(",")}
    if not cores <= os.sched_getaffinity(0):
        raise ValueError(text)
    return cores


def _parser(experiment: Experiment) -> Parser:
    parser = Parser(f"experiments.{experiment.name}", experiment.title)
    parser.add_argument(
        "--scale", choices=SCALES, default=SMOKE,
        help="smoke: few SYNTHETIC faces, seconds (default); cpu: about an hour on two cores with "
        "the real faces; full: the paper's sizes",
    )
    parser.add_argument("--workdir", type=Path, help="default: runs/NAME-SCALE")
    parser.add_argument("--data_dir", help="of the prepared faces (default: $FER_JAX_DATA or data)")
    parser.add_argument("--list", action="store_true", help="show the runs and their state")
    parser.add_argument("--only", metavar="RUN", help="train this run of the list and stop")
    parser.add_argument(
        "--launcher", choices=LAUNCHERS, default="local",
        help="local: in turn, here (default); cores: one run on each CPU core, which is quicker "
        "for small networks; gpus: one on each GPU of this machine; submitit: array jobs on SLURM",
    )
    parser.add_argument(
        "--jobs", type=int, default=0,
        help="of --launcher=cores: runs at a time (default: one a core)",
    )
    parser.add_argument(
        "--cores", type=_cores, metavar="N,N", help="of --only: the CPU cores that it may use"
    )
    parser.add_argument("--gpus", type=int, default=0, help="of --launcher=gpus (default: all)")
    parser.add_argument(
        "--cluster", default="slurm", help="of --launcher=submitit: slurm (default), local or debug"
    )
    parser.add_argument("--partition", default="", help="of --launcher=submitit on SLURM")
    parser.add_argument("--minutes", type=int, default=720, help="of a job (default: 720)")
    return parser
