"""Run a config: `python -m fer_jax.main --config=configs/vgg_dae.py[:VARIANT]`."""

import logging
import sys
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from fer_jax.configuring import check_field, find_config, load_config
from fer_jax.errors import UsageError, run_command

CONFIG = config_flags.DEFINE_config_file(
    "config", None, "FILE.py or FILE.py:VARIANT; change a field by --config.FIELD=VALUE"
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "where everything of the run goes (default: runs/CONFIG[-VARIANT])"
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder of the prepared datasets (default: $FER_JAX_DATA, else ./data)"
)


@run_command
def main(argv: list[str] | None = None) -> None:
    """Train what is missing, evaluate, report, print the tables."""
    reference = parse_flags(sys.argv if argv is None else argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax tells every file it touches
    logging.getLogger("jax").setLevel(logging.WARNING)
    # After the flags, so that a wrong one is answered at once.
    from fer_jax import host, report, study

    host.prepare_process()
    workdir = Path(WORKDIR.value or default_workdir(reference))
    study.run(CONFIG.value, workdir, data_dir=DATA_DIR.value)
    report.print_tables(workdir)
    print(f"report: {workdir / 'report.html'}")


def parse_flags(argv: list[str]) -> str:
    """Parse the command line; return the config reference `FILE[:VARIANT]`.

    Raises:
      UsageError: a flag, config field or value that does not fit.
      UserError: the config's own complaint, or no such file.
    """
    usage = f"usage: {__doc__.split('`')[1]}"
    if {"--help", "-h"} & {*argv}:
        print(usage, flags.FLAGS.module_help(flags.FLAGS.find_module_defining_flag("workdir")))
        raise SystemExit(0)
    if "--config" in argv[:-1]:  # written with a space
        i = argv.index("--config")
        argv = [*argv[:i], f"--config={argv[i + 1]}", *argv[i + 2 :]]
    reference = next((a.split("=", 1)[1] for a in argv if a.startswith("--config=")), None)
    if not reference:
        raise UsageError(f"--config is missing\n{usage}")
    # These two complain in our words.
    config = load_config(reference)
    for argument in argv:
        if argument.startswith("--config."):
            check_field(config, argument.removeprefix("--config.").split("=", 1)[0])
    path, *variant = reference.split(":", 1)
    found = f"--config={':'.join([str(find_config(path)), *variant])}"
    try:
        rest = flags.FLAGS([found if a == f"--config={reference}" else a for a in argv])
    except (flags.Error, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"{error}\n{usage}") from None
    if len(rest) > 1:
        raise UsageError(f"unexpected argument {rest[1]!r}\n{usage}")
    return reference


def default_workdir(reference: str) -> Path:
    """Return `runs/NAME[-VARIANT]` for `configs/NAME.py[:VARIANT]`."""
    path, _, variant = reference.partition(":")
    return Path("runs") / (Path(path).stem + (f"-{variant}" if variant else ""))


if __name__ == "__main__":
    raise SystemExit(main())
