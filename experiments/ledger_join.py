"""Join the papers' numbers with results/: our cells, over seeds, with interval and verdict."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments import ledger_ensembles
from experiments.arithmetic import CANNOT_BE_RIGHT, COUNTED, share_text
from experiments.ledger_ensembles import Combined
from experiments.ledger_rows import HONEST, ROWS, Row
from experiments.seeds import spec_of
from fer_jax.configuring import OUTSIDE_TRAINING
from fer_jax.evaluation_alarms import condense_evaluations, find_evaluation_alarms
from fer_jax.metrics import wilson
from fer_jax.models.agrawal import FullyConvolutional
from fer_jax.report.seeds import over_seeds

# What one unit of a printed number is in our own unit.
UNITS = {"%": 0.01, "points": 0.01}
RISING = ("accuracy", "macro_f1", "recall", "ensemble.")
FALLING = ("loss",)
COUNTS = Path("parameters.json")
# How a value is taken from the lines of a run's epochs.
PER_EPOCH = {"last": lambda values: values[-1], "most": max}


class Result(NamedTuple):
    """A run of results/: where it lies, what results.json holds, and its epochs' lines."""

    folder: str
    held: dict[str, Any]
    epochs: list[dict[str, Any]]


def read_results(root: Path) -> list[Result]:
    """Read every run under `root`, ordered by folder."""
    found = []
    for path in sorted(root.rglob("results.json")):
        held = json.loads(path.read_text())
        if isinstance(held, dict):
            folder = path.parent.relative_to(root).as_posix()
            found.append(Result(folder, held, _epochs(path.parent)))
    return found


def read_counts(root: Path) -> dict[str, dict[str, Any]]:
    """Read how many parameters the full-size networks have, by config."""
    path = root / COUNTS
    return json.loads(path.read_text()) if path.exists() else {}


def join(
    numbers: list[dict[str, Any]],
    results: list[Result],
    counts: dict[str, dict[str, Any]],
    ensembles: Sequence[Combined] = (),
) -> list[dict[str, Any]]:
    """Put beside each of the papers' numbers what is ours.

    Returns for each number a dict of itself and `same`, `plain`, `clean`, `strict` (each a cell or
    None), `status`, `scale`, `verdict`, `judged_by`, `arithmetic` and `note`. A cell has `value`,
    `low`, `high`, `interval` ("Wilson", "t", "faces" or None), `sd`, `seeds`, `runs` and `commands`; values
    are in our own units: shares of 0..1, nats, counts.
    """
    return [_entry(number, results, counts, ensembles) for number in numbers]


def alarms(results: list[Result]) -> list[tuple[str, list[str]]]:
    """List the alarms of each run that has any, its evaluations' worked out anew."""
    found = []
    for result in results:
        held = result.held
        sizes = _find(held, "config.data.sizes") or ()
        entries = [
            entry | {"alarms": find_evaluation_alarms(
                entry, dataset=held["dataset"], protocol=held["protocol"], whole=not any(sizes),
            )}
            for entry in held["evaluations"]
        ]
        said = [*held["alarms"], *condense_evaluations(entries)]
        if said:
            found.append((result.folder, said))
    return found


def _entry(number, results, counts, ensembles) -> dict[str, Any]:
    row = ROWS.get(number["id"], Row())
    cells = dict.fromkeys(("same", *HONEST))
    scale = ""
    if number["id"] in COUNTED or row.value.startswith("counts."):
        cells["same"] = _counted(number, row, counts)
    elif row.value.startswith(ledger_ensembles.KIND):
        cells |= ledger_ensembles.cells(row, ensembles)
        scale = _scale_of_members(row, cells, results, ensembles)
    elif row.run:
        taken = _cells(row, results)
        cells |= {kind: cell for kind, (cell, _) in taken.items()}
        scale = next((_scale(row, group) for cell, group in taken.values() if cell), "")
    status = _status(number, row, cells, scale)
    verdict, judged_by = _verdict(number, row, cells, status)
    reason = CANNOT_BE_RIGHT.get(number["id"])
    return {
        **number, **cells, "status": status, "scale": scale, "verdict": verdict,
        "judged_by": judged_by, "arithmetic": reason() if reason else share_text(number),
        "note": row.note,
    }


def _cells(row: Row, results: list[Result]) -> dict[str, tuple[dict | None, list[Result]]]:
    """Work out each column of a row: the cell and the runs of equal config that it is from."""
    if row.value == "epochs" or row.value.partition(".")[0] in PER_EPOCH:
        # Not of one split: it stands once, in the first column.
        return {"same": _cell(row, _matching(row.run, results), None)}
    columns = {"same": row.same, **HONEST}
    found = {}
    for kind, places in columns.items():
        found[kind] = (None, [])
        for protocol, split in places:
            held = _matching(row.run | {"protocol": protocol}, results)
            found[kind] = _cell(row, held, split, others=results, protocol=protocol)
            if found[kind][0]:
                break
    plain, group = found["plain"]
    for kind in HONEST:
        # Side by side they must be of equal size, or smaller networks would seem to lose faces.
        if plain and found[kind][0] and _rank(found[kind][1])[:2] != _rank(group)[:2]:
            found[kind] = (None, [])
    return found


def _matching(wanted: dict[str, Any], results: list[Result]) -> list[Result]:
    """Choose runs on all of FER2013 that hold what is wanted."""
    wanted = {"dataset": "fer2013"} | wanted
    return [
        result for result in results
        if result.held.get("config") and not any(_find(result.held, "config.data.sizes") or ())
        and all(_find(result.held, path) == value for path, value in wanted.items())
    ]


def _cell(row, held, split, *, others=(), protocol="") -> tuple[dict | None, list[Result]]:
    """Aggregate over seeds the widest, longest-trained group of runs equal but for the seed."""
    having = [result for result in held if _value(row, result, split) is not None]
    if not having:
        return None, []
    groups: dict[str, list[Result]] = {}
    for result in having:
        groups.setdefault(_without_seed(result), []).append(result)
    group = max(groups.values(), key=_rank)
    # Two studies may hold the same run: a seed counts once, the first folder's.
    group = list({result.held["seed"]: result for result in reversed(group)}.values())[::-1]
    if row.minus is not None:
        return _difference(row, group, split, others, protocol), group
    values = [_value(row, result, split) for result in group]
    alone = _wilson(row, group[0], split) if len(group) == 1 else None
    return _aggregate(values, group, alone) | {"protocol": protocol, "split": split or ""}, group


def _difference(row, group, split, others, protocol) -> dict | None:
    """Subtract, seed by seed, the runs that differ from the group by `row.minus`."""
    pairs = []
    for result in group:
        wanted = row.run | row.minus | {
            "protocol": protocol, "seed": result.held["seed"],
            "config.epochs": result.held["config"]["epochs"],
            "config.model.width": _find(result.held, "config.model.width"),
        }
        for other in _matching(wanted, others):
            difference = _value(row, result, split) - _value(row, other, split)
            pairs.append((difference, result, other))
            break
    if not pairs:
        return None
    values = [value for value, _, _ in pairs]
    used = [result for _, *two in pairs for result in two]
    cell = _aggregate(values, used, None) | {"protocol": protocol, "split": split}
    return cell | {"seeds": sorted({result.held["seed"] for result in used})}


def _aggregate(values, group, alone) -> dict[str, Any]:
    mean, sd, low, high, n = over_seeds(values)
    interval = "t" if n > 1 else "Wilson" if alone else None
    low, high = alone if n == 1 and alone else (low, high)
    return {
        "value": mean, "low": low, "high": high, "interval": interval, "sd": sd,
        "seeds": sorted(result.held["seed"] for result in group),
        "runs": [result.folder for result in group],
        "commands": list(dict.fromkeys(result.held["command"] for result in group)),
    }


def _wilson(row: Row, result: Result, split: str | None) -> tuple[float, float] | None:
    """Compute the interval of a share of one run's faces; None for what is no such share."""
    entry = _evaluation(row, result, split) if split else None
    if entry is None or not entry.get("confusion"):
        return None
    counts = entry["confusion"]
    if row.value == "accuracy":
        hits = sum(counts[i][i] for i in range(len(counts)))
        return wilson(hits, sum(map(sum, counts)))
    if row.value.startswith("per_class.recall."):
        label = int(row.value.rpartition(".")[2])
        return wilson(counts[label][label], sum(counts[label]))
    return None


def _value(row: Row, result: Result, split: str | None) -> float | None:
    which, _, name = row.value.partition(".")
    if which in PER_EPOCH:
        held = [epoch[name] for epoch in result.epochs if epoch.get(name) is not None]
        return PER_EPOCH[which](held) if held else None
    if split is None:
        return _find(result.held, row.value)
    return _find(_evaluation(row, result, split) or {}, row.value)


def _evaluation(row: Row, result: Result, split: str) -> dict[str, Any] | None:
    chosen = result.held["config"]["distortion"]
    name, strength = (chosen["name"], chosen["strength"]) if row.distorted else ("clean", 0.0)
    wanted = {"split": split, "views": "plain", "distortion": name, "strength": strength}
    found = (e for e in result.held["evaluations"] if wanted.items() <= e.items())
    return next((e for e in found if not e.get("weights")), None)


def _counted(number, row, counts) -> dict[str, Any] | None:
    if number["id"] in COUNTED:
        value, commands = COUNTED[number["id"]](), []
    elif row.network in counts:
        held = counts[row.network]
        value, commands = held[row.value.removeprefix("counts.")], [held["command"]]
    else:
        return None
    return {
        "value": value, "low": None, "high": None, "interval": None, "sd": None, "seeds": [],
        "runs": [], "commands": commands, "protocol": "", "split": "",
    }


def _without_seed(result: Result) -> str:
    outside = (*OUTSIDE_TRAINING, "seed")
    held, seed = result.held["config"], result.held["config"].get("seed", 0)
    config = {name: value for name, value in held.items() if name not in outside}
    # What it starts from is of its seed too.
    init = {part: spec_of(run, seed) for part, run in (config.get("init") or {}).items()}
    return json.dumps(config | {"init": init}, sort_keys=True)


def _rank(group: list[Result]) -> tuple[float, int, int]:
    config = group[0].held["config"]
    return _width(config), config["epochs"], len(group)


def _width(config: dict[str, Any]) -> float:
    """Return the factor on a network's filters, also where its config lists them."""
    widths = _find(config, "model.widths")
    if widths:
        return sum(widths) / sum(FullyConvolutional.widths)
    return _find(config, "model.width") or 1.0


def _scale_of_members(row, cells, results, ensembles) -> str:
    """Say what is smaller of an ensemble's members than the paper's, each kind of member once."""
    folders = {run for cell in cells.values() if cell for run in cell["runs"]}
    used = {
        f"{folder.rpartition('/')[0]}/{member['name']}"
        for folder, held in ensembles if folder in folders for member in held["members"]
    }
    members = [result for result in results if result.folder in used]
    return "; ".join(dict.fromkeys(filter(None, (_scale(row, [one]) for one in members))))


def _scale(row: Row, group: list[Result]) -> str:
    """Say what is smaller than the paper's; "" for the full size and the paper's epochs."""
    config = group[0].held["config"]
    width, said = _width(config), []
    if width < 1:
        said.append(f"width {width:g}")
    if config["epochs"] < row.epochs:
        said.append(f"{config['epochs']} of {row.epochs} epochs")
    side = _find(config, "preprocess.size") if config["model"]["name"] == "alexnet" else None
    if side and side < 224:
        said.append(f"{side} pixels of 224")
    return ", ".join(said)


def _status(number, row: Row, cells: dict, scale: str) -> str:
    if number["kind"] == "cited":
        return "cited"
    if not any(cells.values()):
        return "licensed data" if row.licensed else "not run"
    if number["id"] in COUNTED or row.value.startswith("counts."):
        return "counted"
    return "reduced" if scale else "run"


def _verdict(number, row: Row, cells: dict, status: str) -> tuple[str, str]:
    """Judge by the paper's own protocol, else by the plain honest one; name which."""
    if number["id"] in CANNOT_BE_RIGHT:
        return "cannot be right", "arithmetic"
    kind = next((kind for kind in ("same", "plain") if cells[kind]), None)
    if kind is None or row.licensed or number["kind"] == "cited":
        return "", ""
    reduced = status == "reduced"
    # How long one trained is no result to be judged; nor does a cut one show what it never passes.
    if row.value == "epochs" or (reduced and number.get("bound") == "at most"):
        return "", ""
    least, most = printed_range(number)
    cell = cells[kind]
    low, high = (cell["value"],) * 2 if cell["low"] is None else (cell["low"], cell["high"])
    if low <= most and high >= least:
        said = "reproduced"
    elif any(name in row.value for name in RISING) and low > most:
        said = "better"
    elif any(name in row.value for name in FALLING) and high < least:
        said = "better"
    else:
        said = "not reached" if reduced else "not reproduced"
    return f"{said} (reduced)" if reduced else said, kind


def printed_range(number: dict[str, Any]) -> tuple[float, float]:
    """Return the values, in our unit, that a printed number may stand for.

    Half a unit of its last digit to each side, a whole one if it is approximate; "above" and "at
    most" have one end.
    """
    unit = UNITS.get(number["unit"], 1)
    half = (1.0 if number.get("approximate") else 0.5) * 10.0 ** -number["decimals"]
    # A hair more, so that what is exactly on the edge in decimals is not outside in binary.
    half *= 1 + 1e-9
    low, high = (number["value"] - half) * unit, (number["value"] + half) * unit
    ends = {"above": (low, float("inf")), "at most": (float("-inf"), high)}
    return ends.get(number.get("bound", ""), (low, high))


def _find(held: Any, path: str) -> Any:
    """Look a dotted path up in nested dicts and lists; None if it is not there."""
    for name in path.split("."):
        if isinstance(held, list):
            held = held[int(name)] if int(name) < len(held) else None
        else:
            held = held.get(name) if isinstance(held, dict) else None
    return held


def _epochs(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    lines: Iterable[str] = path.read_text().splitlines() if path.exists() else ()
    return sorted((json.loads(line) for line in lines), key=lambda row: row["epoch"])
