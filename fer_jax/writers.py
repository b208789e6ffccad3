"""What a run says while it trains: a progress bar or plain lines, metrics.jsonl, TensorBoard."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from fer_jax import files, processes

METRICS = "metrics.jsonl"


class Display(NamedTuple):
    """How a loop shows itself: `advance(text)` after a dispatch, `line(text)` after an epoch."""

    advance: Any
    line: Any


@contextmanager
def show_progress(title: str, *, total: int, done: int) -> Iterator[Display]:
    """Show a bar of `total` steps on a terminal, or a line now and then elsewhere."""
    if not processes.writes():
        yield Display(advance=lambda steps, text: None, line=lambda text: None)
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(title, total, done)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(compact=True),
    )
    with _Bar(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total, completed=done, text="compiling")
        yield Display(
            advance=lambda steps, text: progress.update(task, advance=steps, text=text),
            line=lambda text: progress.console.print(text, highlight=False, markup=False),
        )


class _Bar(Progress):
    def get_renderables(self):
        yield _Narrower(self.make_tasks_table(self.tasks))


class _Narrower(NamedTuple):
    """What is drawn ends four columns before the terminal does.

    A terminal writes ^C behind the bar. Were that the next line, clearing the bar would clear that
    line and leave the bar standing.
    """

    drawn: Any

    def __rich_console__(self, console, options):
        yield from console.render(self.drawn, options.update_width(options.max_width - 4))


def _plain(title: str, total: int, done: int) -> Display:
    last = time.monotonic()

    def line(text: str) -> None:
        nonlocal last
        last = time.monotonic()
        print(text, file=sys.stderr, flush=True)

    def advance(steps: int, text: str) -> None:
        nonlocal done
        done += steps
        if time.monotonic() - last > 60:
            line(f"{title}: step {done}/{total}, {text}")

    return Display(advance=advance, line=line)


class MetricsLog:
    """Append one JSON object an epoch to the workdir's metrics.jsonl, and to TensorBoard if there.

    `keep_epochs` drops what was logged after the checkpoint that a run goes on from, so that no
    epoch stands twice.
    """

    def __init__(self, workdir: Path, *, keep_epochs: int):
        self.path = Path(workdir) / METRICS
        kept = [row for row in read_metrics(workdir) if row["epoch"] <= keep_epochs]
        files.write_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))
        self.workdir, self.board = workdir, None

    def append(self, row: dict[str, Any]) -> None:
        """Write one epoch's row."""
        if not processes.writes():
            return
        line = json.dumps(row, allow_nan=False) + "\n"
        with files.naming(self.path), self.path.open("a") as file:
            file.write(line)
        if self.board is None:
            # Not before: it imports PyTorch where that is installed, seconds before the first step.
            self.board = _tensorboard(self.workdir)
        for name, value in row.items():
            if self.board and isinstance(value, (int, float)):
                self.board.add_scalar(name, value, row["epoch"])

    def close(self) -> None:
        """Let TensorBoard's own thread write what it still holds, and end it.

        Raises:
          OSError: there is no room for it.
        """
        if not self.board:
            return
        try:
            with files.naming(Path(self.workdir) / "tensorboard"):
                self.board.close()
        except OSError:
            # The thread goes on then, and would break off with a traceback at the process's end;
            # an event that is a plain object ends it.
            self.board.file_writer.event_writer.add_event(object())
            raise


def read_metrics(workdir: Path) -> list[dict[str, Any]]:
    """Read the epochs logged so far; a last line cut off by a kill is dropped."""
    path = Path(workdir) / METRICS
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def epoch_line(title: str, row: dict[str, Any], *, epochs: int) -> str:
    """Sum up an epoch in one line of at most 80 columns."""
    parts = [f"{title} {row['epoch']}/{epochs}"]
    for name, short in (("train", "train"), ("validation", "val")):
        loss, accuracy = row[f"{name}_loss"], row[f"{name}_accuracy"]
        text = f"{short} " + ("nan" if loss is None else f"{loss:.4f}")
        parts.append(text if accuracy is None else f"{text} {accuracy:.1%}")
    if "validation_raw_loss" in row:
        loss, accuracy = row["validation_raw_loss"], row["validation_raw_accuracy"]
        if accuracy is None:
            parts.append("raw " + ("nan" if loss is None else f"{loss:.4f}"))
        else:
            parts.append(f"raw {accuracy:.1%}")
    parts += [f"{row['images_per_second']:.0f} img/s", f"{row['seconds']:.0f} s"]
    return "  ".join(parts)


def progress_text(epoch: int, epochs: int, totals: Any, images_per_second: float) -> str:
    """Sum up a running epoch for the bar; reading the totals waits for the device."""
    # Of points that train together there are several, stacked.
    counts = np.asarray(totals.counts)
    n, right = int(totals.n.sum()), int(np.trace(counts, axis1=-2, axis2=-1).sum())
    accuracy = f" {right / n:.1%}" if counts.any() else ""
    loss = float(totals.loss.sum()) / n
    return f"epoch {epoch}/{epochs} {loss:.4f}{accuracy} {images_per_second:.0f} img/s"


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON beside the path, then rename: no reader sees half of it."""
    files.write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_npz(path: Path, **arrays: Any) -> None:
    """Write a compressed npz beside the path, then rename."""
    with files.replacing(path) as file:
        np.savez_compressed(file, **arrays)


def _tensorboard(workdir: Path):
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return False
    return SummaryWriter(str(Path(workdir) / "tensorboard"), flush_secs=10)
