"""The run that the loop's tests train: softmax regression on few faces, which compiles quickly."""

from tests import running, tiny_study

STEPS = 64 // 16  # of an epoch


def make_config(**changes):
    """Make the run's config, with fields changed."""
    config = tiny_study.get_config("linear")
    config.evaluation.strengths = ()
    config.update(changes)
    return config


def without_cost(workdir):
    """Read what an interruption must not change: the results without times and command."""
    held = running.read_results(workdir)
    return {name: value for name, value in held.items() if name != "command"}
