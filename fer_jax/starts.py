"""Checks of what a run starts from: other runs, files of weights, parameters that thaw later.

Each gives the complaint that follows the config's name, or "".
"""

from ml_collections import ConfigDict

from fer_jax.configuring import is_pattern
from fer_jax.constraints import pattern
from fer_jax.errors import suggest
from fer_jax.optim import FROZEN
from fer_jax.weight_files import check_ending
from fer_jax.weight_layouts import NETWORKS


def check_thaw(config: ConfigDict) -> str:
    """Check that what thaws is there, and does so before the end."""
    labels = dict.fromkeys(label for _, label in config.optim.rules if label != FROZEN)
    for label, epochs in config.optim.thaw_epochs.items():
        if label not in labels:
            return (
                f".optim.thaw_epochs has the label {label!r}, which no rule of optim.rules gives "
                f"to parameters that train. {suggest(label, labels)}"
            )
        if epochs >= config.epochs:
            return (
                f".optim.thaw_epochs.{label} is {epochs}, and the run ends after {config.epochs} "
                f"epochs; give these parameters the label {FROZEN!r}, or thaw them sooner"
            )
    return ""


def check_init(config: ConfigDict) -> str:
    """Check that the keys that begin as a regex are one."""
    for key in config.init:
        if is_pattern(key) and (complaint := pattern(key)):
            return f".init has a key that{complaint}"
    return ""


def check_pretrained(config: ConfigDict) -> str:
    """Check that the network has a table of names, and that the file can be read by its ending."""
    file, name = config.pretrained, config.model.name
    if not file:
        return ""
    if name not in NETWORKS:
        return (
            f".pretrained is {file!r}, and no file of weights is known that fits the model "
            f"{name!r}. {suggest(name, NETWORKS)}"
        )
    complaint = check_ending(file)
    return complaint and f".pretrained is {file!r}, which{complaint}"
