"""Run a config: `python -m fer_jax.main --config=configs/vgg_dae.py[:VARIANT]`."""

import logging
from pathlib import Path

from fer_jax.arguments import Parser, check_folder, set_fields
from fer_jax.configuring import known_configs, load_config
from fer_jax.errors import UsageError, run_command


@run_command
def main(argv: list[str] | None = None) -> None:
    """Train what is missing of a run or a study, evaluate, report, print the tables."""
    parser = make_parser()
    flags, rest = parser.parse_known_args(argv)
    if not flags.config:
        parser.error("--config is empty; name a FILE.py")
    try:
        config = set_fields(load_config(flags.config), rest)
    except UsageError as error:
        parser.error(str(error))
    workdir = flags.workdir or default_workdir(flags.config)
    check_folder(workdir)
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    # Orbax tells every file it touches, and each error, which it raises too, with its traceback.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    logging.getLogger("jax").setLevel(logging.WARNING)
    # After the flags, so that a wrong one is answered at once.
    from fer_jax import host, processes, report, study

    host.prepare_process()
    with processes.joined(flags.coordinator, flags.num_processes, flags.process_id):
        study.run(config, workdir, data_dir=flags.data_dir)
        if processes.writes():
            report.print_tables(workdir)
            print(f"report: {workdir / 'report.html'}")


def make_parser() -> Parser:
    """Make the command's parser; fields of the config are left over."""
    parser = Parser(
        "fer_jax.main", main.__doc__,
        usage="python -m fer_jax.main --config=configs/vgg_dae.py[:VARIANT]\n"
        "         [--workdir=DIR] [--data_dir=DIR] [--config.FIELD=VALUE ...]",
        epilog=f"Configs here: {', '.join(known_configs())}. configs/common.py has every FIELD, "
        "as in --config.optim.learning_rate=1e-3; of a study's run, as in --config.runs.vgg.epochs"
        "=9. `python -m fer_jax.summary` shows a config's network.",
    )
    parser.add_argument(
        "--config", required=True, metavar="FILE.py[:VARIANT]",
        help="what to run; a wrong VARIANT is answered with those there are",
    )
    parser.add_argument(
        "--workdir", type=Path, metavar="DIR",
        help="where everything of the run goes (default: runs/CONFIG[-VARIANT])",
    )
    parser.add_argument(
        "--data_dir", metavar="DIR",
        help="folder of the prepared datasets (default: $FER_JAX_DATA, else ./data)",
    )
    parser.add_argument(
        "--coordinator", metavar="HOST:PORT",
        help="of several processes that train together: where the first one listens; on SLURM, "
        "GKE and Open MPI they find each other (docs/scaling.md)",
    )
    parser.add_argument("--num_processes", type=int, metavar="N", help="how many they are")
    parser.add_argument("--process_id", type=int, metavar="I", help="which this one is: 0 to N-1")
    return parser


def default_workdir(reference: str) -> Path:
    """Return `runs/NAME[-VARIANT]` for `configs/NAME.py[:VARIANT]`."""
    path, _, variant = reference.partition(":")
    return Path("runs") / (Path(path).stem + (f"-{variant}" if variant else ""))


if __name__ == "__main__":
    raise SystemExit(main())
