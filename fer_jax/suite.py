"""Read what `evaluate --suite` is asked, run the suite and print its table."""

import argparse
from pathlib import Path

from fer_jax.errors import UsageError, suggest
from fer_jax.filters import parse_filter
from fer_jax.report.suites import suite_table
from fer_jax.report.terminal import print_table
from fer_jax.robustness import SUITE, Asked, add_suite


def run_suite(arguments: argparse.Namespace) -> None:
    """Run the suite that the arguments of `fer_jax.evaluate` ask for, and print it.

    Raises:
      UsageError: an unknown suite or filter, a number that is none, a flag that a suite has not.
      UserError: see `robustness.add_suite`.
    """
    if arguments.suite != SUITE:
        raise UsageError(
            f"--suite={arguments.suite}: unknown. {suggest(arguments.suite, [SUITE])}"
        )
    if (arguments.distortion, arguments.average, arguments.probabilities) != (
        "clean", "probabilities", None,
    ):
        raise UsageError(
            "--distortion, --average and --probabilities are for one evaluation, not for a suite; "
            "leave them out"
        )
    asked = Asked(
        split=arguments.split,
        views=arguments.views,
        filter=parse_filter(arguments.filter or ""),
        draws=_count("draws", arguments.draws) or 10,
        faces=_count("faces", arguments.faces),
    )
    reference = Path(arguments.reference) if arguments.reference else None
    entry = add_suite(
        arguments.workdir, asked, reference=reference, data_dir=arguments.data_dir
    )
    print_table(suite_table(entry))


def _count(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--{name}={text}: expected a whole number of 1 or more")
    return int(text)
