"""Our ensembles beside the papers': cells of the ledger out of results/**/ensemble*.json."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from experiments.ledger_rows import HONEST, Row

KIND = "ensemble."  # how a row's `value` begins


class Combined(NamedTuple):
    """The ensembles of one study on one split: where they lie, and what ensemble.json holds."""

    folder: str
    held: dict[str, Any]


def read_ensembles(root: Path) -> list[Combined]:
    """Read the ensembles of real faces under `root`, ordered by folder."""
    found = []
    for path in sorted(root.rglob("ensemble.json")):
        held = json.loads(path.read_text())
        if held["dataset"] == "fer2013" and held["distortion"] == "clean":
            found.append(Combined(path.parent.relative_to(root).as_posix(), held))
    return found


def cells(row: Row, ensembles: list[Combined]) -> dict[str, dict[str, Any] | None]:
    """Work out each column of a row; of several ensembles the one with most members counts."""
    return {
        kind: next(
            (
                _cell(row, max(held, key=lambda one: len(one.held["members"])))
                for protocol, split in places if (held := _of(ensembles, protocol, split))
            ),
            None,
        )
        for kind, places in {"same": row.same, **HONEST}.items()
    }


def value_of(held: dict[str, Any], name: str) -> tuple[float, tuple[float, float] | None]:
    """Return what ensemble.json says of `name`, and its 95 % interval where there is one.

    `name` is one of `VALUES`, or "rule.NAME" for a rule's accuracy.
    """
    if name in VALUES:
        return VALUES[name](held)
    entry = _rule(held, name.removeprefix("rule."))
    return entry["accuracy"], (entry["accuracy_low"], entry["accuracy_high"])


def _of(ensembles: list[Combined], protocol: str, split: str) -> list[Combined]:
    wanted = (protocol, split)
    return [one for one in ensembles if (one.held["protocol"], one.held["split"]) == wanted]


def _cell(row: Row, combined: Combined) -> dict[str, Any]:
    held = combined.held
    value, interval = value_of(held, row.value.removeprefix(KIND))
    low, high = interval or (None, None)
    return {
        "value": value, "low": low, "high": high, "interval": "faces" if interval else None,
        "sd": None, "seeds": [held["seed"]], "runs": [combined.folder],
        "commands": [held["command"]], "protocol": held["protocol"], "split": held["split"],
        "n": held["n"],
    }


def _rule(held: dict[str, Any], name: str) -> dict[str, Any]:
    return next(rule for rule in held["rules"] if rule["rule"] == name)


def _single(choose: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    def value(held):
        entry = choose(held["singles"], key=lambda single: single["accuracy"])
        return entry["accuracy"], (entry["accuracy_low"], entry["accuracy_high"])

    return value


def _best(held):
    entry = held["singles"][held["best_single"]]
    return entry["accuracy"], (entry["accuracy_low"], entry["accuracy_high"])


def _gain(held):
    difference = _rule(held, "simple mean")["difference"]
    return difference["value"], (difference["low"], difference["high"])


def _behind(held):
    weighted = ("accuracy-weighted", "class-accuracy-weighted", "accuracy to the power q")
    worst = min(_rule(held, name)["accuracy"] for name in weighted)
    return _rule(held, "simple mean")["accuracy"] - worst, None


# What is said of all models together, by the name that a row asks for.
VALUES = {
    "lowest": _single(min),
    "highest": _single(max),
    "best": _best,  # by validation
    "above_55": lambda held: (sum(one["accuracy"] > 0.55 for one in held["singles"]), None),
    "gain": _gain,
    "behind": _behind,
    "best_size": lambda held: (max(held["sizes"], key=lambda s: s["best_first"])["size"], None),
}
