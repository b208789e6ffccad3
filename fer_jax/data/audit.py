"""Audit a prepared dataset: counts, copies within and across splits, conflicting labels."""

import argparse
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from fer_jax import writers
from fer_jax.arguments import Parser
from fer_jax.data.datasets import DATASETS
from fer_jax.data.faces import EMOTIONS, load_faces
from fer_jax.data.findings import describe, examine
from fer_jax.data.masks import mask_path, save_mask
from fer_jax.data.splits import default_data_dir, prepared_path
from fer_jax.errors import UsageError, UserError, run_command

SCHEMA = 1


@run_command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m fer_jax.data.audit`."""
    flags = _parse_flags(argv)
    audit(
        flags.dataset, data_dir=flags.data_dir, json_path=flags.json, write_mask=flags.write_mask
    )


def audit(
    dataset: str,
    *,
    data_dir: Path | None = None,
    json_path: Path | None = None,
    write_mask: bool = False,
) -> dict[str, Any]:
    """Audit DATA_DIR/DATASET.npz and print what was found as tables.

    Args:
      dataset: its name, as it was prepared.
      data_dir: where the prepared datasets are; None is $FER_JAX_DATA, else ./data.
      json_path: where to write the findings; a picture of them goes beside it, as PNG.
      write_mask: also write DATA_DIR/DATASET.mask.npz, which the protocols `official-clean` and
        `official-strict` take instead of looking for copies themselves.

    Returns:
      What the JSON holds.

    Raises:
      UserError: the dataset is not prepared or damaged, or a file cannot be written.
    """
    if dataset == "synthetic":
        raise UserError("the synthetic faces are drawn anew for each split: nothing to audit.")
    json_path = None if json_path is None else json_path.expanduser()
    if json_path is not None and json_path.suffix == ".png":
        raise UsageError(f"--json={json_path} is where the picture goes; name it FILE.json.")
    arrays = prepared_path(dataset, data_dir)
    faces = load_faces(arrays)
    found = examine(faces, track=_say)
    described = describe(faces, found)
    report = {
        "schema": SCHEMA,
        "dataset": dataset,
        "faces_are": f"indices, counted from 0, into the arrays of {arrays.name}",
        "official_counts": _official(dataset, described["counts"]),
        **described,
    }
    console = Console(width=80, highlight=False)
    for table in (_count_table(report), _finding_table(report), _leak_table(report)):
        console.print(table, "")
    console.print(_summary(report), markup=False)
    written = []
    try:
        if json_path is not None:
            from fer_jax.data.audit_picture import draw_audit

            picture = json_path.with_suffix(".png")
            json_path.parent.mkdir(parents=True, exist_ok=True)
            writers.write_json(json_path, report)
            draw_audit(picture, faces, found, report)
            written += [json_path, picture]
        if write_mask:
            save_mask(mask_path(arrays), faces, found.mask)
            written.append(mask_path(arrays))
    except OSError as error:
        raise UserError(f"cannot write what the audit found ({error}).") from error
    for path in written:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)
    return report


def _official(dataset: str, usages: Collection[str]) -> dict[str, dict[str, Any]]:
    """Give the published counts by usage: {"all": n, "by_emotion": {name: n} or None if unknown}.

    FER2013's halves, where they are not told apart, have their sum.
    """
    known = dict(DATASETS[dataset].official) if dataset in DATASETS else {}
    if "Test" in usages and "PublicTest" in known:
        halves = zip(known.pop("PublicTest"), known.pop("PrivateTest"), strict=True)
        known["Test"] = tuple(map(sum, halves))
    return {
        usage: {"all": n, "by_emotion": None} if isinstance(n, int)
        else {"all": sum(n), "by_emotion": dict(zip(EMOTIONS, n, strict=True))}
        for usage, n in known.items()
    }


def _count_table(report: dict[str, Any]) -> Table:
    counts, official = report["counts"], report["official_counts"]
    usages = list(dict.fromkeys([*counts, *official]))
    table = _table(f"{report['dataset']}: faces", usages)

    def cell(usage: str, name: str) -> str:
        of_class, published = counts.get(usage, {}), official.get(usage, {})
        n = sum(of_class.values()) if name == "all" else of_class.get(name, 0)
        by_emotion = published.get("by_emotion") or {}
        expected = published.get("all", n) if name == "all" else by_emotion.get(name, n)
        return f"{n:,}" if n == expected else f"{n:,} ({expected:,})"

    for name in (*EMOTIONS, "all"):
        if name == "all":
            table.add_section()
        table.add_row(name, *(cell(usage, name) for usage in usages))
    if official:
        differ = any("(" in text for column in table.columns[1:] for text in column.cells)
        table.caption = "in brackets: the official count" if differ else "the official counts"
    return table


def _finding_table(report: dict[str, Any]) -> Table:
    usages = list(report["counts"])
    table = _table("images", usages)
    rows = {
        "constant": report["constant"]["by_usage"],
        "repeats of its own split": report["identical"]["redundant_within"],
    }
    for usage in usages[:-1]:
        crossing = [entry for entry in report["identical"]["across"] if entry["in"] == usage]
        rows[f"identical, in {usage} too"] = {e["usage"]: e["images"] for e in crossing}
    if "Training" in usages:
        rows["near-copy in Training only"] = {
            usage: entry["near"] for usage, entry in report["leaked"].items()
        }
    rows["identical, other emotion"] = report["conflicting"]["by_usage"]
    for name, row in rows.items():
        table.add_row(name, *(f"{row[usage]:,}" if usage in row else "-" for usage in usages))
    return table


def _leak_table(report: dict[str, Any]) -> Table:
    leaked = report["leaked"]
    table = _table("leaked from Training", leaked)
    for emotion in EMOTIONS:
        entries = (entry["by_emotion"][emotion] for entry in leaked.values())
        table.add_row(emotion, *map(_shares, entries))
    table.add_section()
    table.add_row("all", *map(_shares, leaked.values()))
    table.caption = "share of identical images + share of other near-copies"
    return table


def _shares(entry: dict[str, Any]) -> str:
    if not entry["images"]:
        return "-"
    return f"{entry['identical_share']:.1%} + {entry['near_share']:.1%}"


def _summary(report: dict[str, Any]) -> str:
    identical, near, conflicting = (report[n] for n in ("identical", "near_copies", "conflicting"))
    lines = [
        f"{identical['redundant']:,} redundant images of {report['images']:,}, "
        f"in {identical['groups']:,} groups of identical pixels",
        f"{conflicting['groups']:,} of these groups have more than one emotion "
        f"({conflicting['images']:,} images)",
        f"{near['pairs']:,} pairs of near-copies, {near['mirrored']:,} of them mirrored "
        f"({near['images']:,} images)",
    ]
    lines += [f"{protocol}: {n:,} test images are left" for protocol, n in report["left"].items()]
    return "\n".join(lines)


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(box=SIMPLE, show_edge=False, caption_justify="left")
    table.add_column(title)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _say(items: Iterable, text: str) -> Iterator:
    print(f"looking for {text}, which takes a while on many images", file=sys.stderr, flush=True)
    return iter(items)


def _parse_flags(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser("fer_jax.data.audit", __doc__)
    parser.add_argument("dataset", help="a prepared dataset, as fer2013")
    parser.add_argument(
        "--data_dir",
        type=Path,
        default=default_data_dir(),
        help="where it was prepared (default: $FER_JAX_DATA, else ./data)",
    )
    parser.add_argument("--json", type=Path, help="write the findings there, and a PNG beside it")
    parser.add_argument(
        "--write_mask",
        action="store_true",
        help="write DATA_DIR/DATASET.mask.npz for the protocols official-clean, official-strict",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
