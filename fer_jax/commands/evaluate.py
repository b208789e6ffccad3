"""Flags of `python -m fer_jax.evaluate`, and what it prints."""

from pathlib import Path

from fer_jax.arguments import Parser
from fer_jax.errors import UsageError, run_command, suggest
from fer_jax.flags import AVERAGES, VIEWS, add_faces, read_faces

# What --suite has flags for, with what each is without one.
SUITE_FLAGS = {
    "draws": (10, "draws of each random corruption"),
    "faces": ("all", "only so many faces, evenly spread over the split"),
    "reference": ("the study's plain VGG", "workdir of the run whose errors are 100 %%"),
    "filter": ("none", "median:SIZE or nlm:H in front of the classifier"),
}


@run_command
def main(argv: list[str] | None = None) -> None:
    """Evaluate the run in a workdir and add what comes out to its results and report."""
    parser = Parser("fer_jax.evaluate", main.__doc__)
    parser.add_argument("--workdir", type=Path, required=True, help="of a finished run")
    add_faces(parser)
    parser.add_argument("--views", default="plain", help=f"{', '.join(VIEWS)} (default: plain)")
    parser.add_argument(
        "--average", default="probabilities",
        help=f"what is averaged over the views: {', '.join(AVERAGES)} (default: probabilities)",
    )
    parser.add_argument(
        "--probabilities", type=Path, metavar="OUT.npz",
        help="write row ids, labels and probabilities there",
    )
    parser.add_argument(
        "--suite", metavar="fer2013-c", help="evaluate under all of its corruptions instead"
    )
    for name, (default, meaning) in SUITE_FLAGS.items():
        parser.add_argument(f"--{name}", help=f"with --suite: {meaning} (default: {default})")
    arguments = parser.parse_args(argv)
    faces = read_faces(arguments, fitted=False)
    for name, value, known in (
        ("views", arguments.views, VIEWS), ("average", arguments.average, AVERAGES),
    ):
        if value not in known:
            raise UsageError(f"--{name}={value}: unknown. {suggest(value, known)}")
    for name in SUITE_FLAGS:
        if not arguments.suite and getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for a suite; add --suite=fer2013-c")
    from fer_jax import host

    host.prepare_process()
    if arguments.suite:
        from fer_jax.suite import run_suite

        run_suite(arguments)
        return
    from fer_jax.finished import add_evaluation

    evaluation = add_evaluation(
        arguments.workdir,
        data_dir=arguments.data_dir,
        views=arguments.views,
        average=arguments.average,
        **faces,
        probabilities_path=arguments.probabilities,
    )
    value = evaluation["accuracy"]
    score = "" if value is None else f", accuracy {value:.4f}"
    loss = "nan" if evaluation["loss"] is None else f"{evaluation['loss']:.4f}"
    print(f"{arguments.split} {arguments.distortion}: loss {loss}{score}")
    for alarm in evaluation["alarms"]:
        print(f"alarm: {alarm}")
