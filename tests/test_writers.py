"""What a run says while it trains, and files that no reader sees half of."""

import errno
import io
import json
import logging
import re
import threading

import numpy as np
import pytest
from rich.console import Console

from fer_jax import metrics, writers

ROW = {
    "epoch": 150, "train_loss": 1.23456, "train_accuracy": 0.98765, "validation_loss": 1.11111,
    "validation_accuracy": 1.0, "images_per_second": 123456.7, "seconds": 1234.5, "alarms": [],
}


def test_an_epochs_line_fits_80_columns_with_the_longest_numbers():
    line = writers.epoch_line("multitask", ROW, epochs=150)
    assert len(line) <= 80
    assert line.startswith("multitask 150/150  train 1.2346 98.8%  val 1.1111 100.0%")


def test_an_epochs_line_without_accuracies_and_with_nan():
    row = ROW | {"train_accuracy": None, "validation_accuracy": None, "train_loss": None}
    line = writers.epoch_line("dae", row, epochs=150)
    assert "train nan  val 1.1111  " in line and "%" not in line


def test_an_epochs_line_with_an_average_has_the_weights_as_trained_too():
    raw = {"validation_raw_loss": 1.5, "validation_raw_accuracy": 0.5}
    line = writers.epoch_line("multitask", ROW | raw, epochs=150)
    assert "val 1.1111 100.0%  raw 50.0%  " in line
    line = writers.epoch_line("dae", ROW | raw | {"validation_raw_accuracy": None}, epochs=150)
    assert "  raw 1.5000  " in line


def test_progress_text_is_the_epoch_so_far():
    counts = np.diag([3, 0, 0, 0, 0, 0, 0]) + np.eye(7, k=1, dtype=int)
    totals = metrics.Confusion(counts, np.float32(18.0), np.int32(9))  # 3 of 9 right, loss 2
    assert writers.progress_text(2, 10, totals, 99.6) == "epoch 2/10 2.0000 33.3% 100 img/s"


def test_plain_lines_come_at_epochs_and_once_a_minute(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(writers.time, "monotonic", lambda: now[0])
    with writers.show_progress("vgg", total=100, done=10) as display:
        for _ in range(5):
            now[0] += 20
            display.advance(2, "epoch 1/9 2.0")
        display.line("vgg 1/9")
    # 80 s pass the minute once, at the fourth dispatch; 18 = 10 + 4 x 2.
    assert capsys.readouterr().err.splitlines() == ["vgg: step 18/100, epoch 1/9 2.0", "vgg 1/9"]


def test_a_bar_leaves_room_for_the_terminals_own_ctrl_c(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(
        writers, "Console",
        lambda stderr: Console(file=screen, width=80, force_terminal=True, color_system=None),
    )
    with writers.show_progress("multitask", total=100, done=10) as display:
        display.advance(2, "epoch 150/150 1.2346 100.0% 123457 img/s")
    drawn = re.split(r"[\r\n]", re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", screen.getvalue()))
    # Two times ^C behind the bar, and no line is full.
    assert 40 < max(map(len, drawn)) <= 76


def test_metrics_go_on_where_the_checkpoint_stands(tmp_path):
    log = writers.MetricsLog(tmp_path, keep_epochs=0)
    for epoch in (1, 2, 3):
        log.append({"epoch": epoch, "train_loss": 1 / epoch})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "tr')  # a kill cut it off
    assert [row["epoch"] for row in writers.read_metrics(tmp_path)] == [1, 2, 3]
    log = writers.MetricsLog(tmp_path, keep_epochs=2)
    log.append({"epoch": 3, "train_loss": 0.0})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["train_loss"] for line in lines] == [1.0, 0.5, 0.0]


def test_nan_is_refused_not_written(tmp_path):
    log = writers.MetricsLog(tmp_path, keep_epochs=0)
    with pytest.raises(ValueError, match="JSON"):
        log.append({"epoch": 1, "train_loss": float("nan")})
    (tmp_path / "a.json").write_text("before")
    with pytest.raises(ValueError, match="JSON"):
        writers.write_json(tmp_path / "a.json", {"x": float("inf")})
    assert (tmp_path / "a.json").read_text() == "before"


def test_files_are_replaced_whole(tmp_path):
    writers.write_json(tmp_path / "a.json", {"x": [1]})
    writers.write_npz(tmp_path / "a.npz", x=np.arange(3))
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1]}
    assert np.load(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.npz"]


def test_tensorboard_gets_the_numbers_if_it_is_installed(tmp_path, caplog):
    pytest.importorskip("tensorboardX")
    with caplog.at_level(logging.INFO):
        log = writers.MetricsLog(tmp_path, keep_epochs=0)
        log.append(ROW)
        log.close()
    assert not caplog.records
    (file,) = (tmp_path / "tensorboard").iterdir()
    held = file.read_bytes()
    assert b"validation_accuracy" in held and b"alarms" not in held


def test_tensorboards_thread_ends_also_on_a_full_disk(tmp_path, monkeypatch):
    pytest.importorskip("tensorboardX")
    before = set(threading.enumerate())
    log = writers.MetricsLog(tmp_path, keep_epochs=0)
    log.append({"epoch": 1, "loss": 2.0})
    (thread,) = set(threading.enumerate()) - before - feeding()

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log.board.file_writer.event_writer, "flush", full)
    with pytest.raises(OSError, match="tensorboard"):
        log.close()
    thread.join(10)
    assert not thread.is_alive()


def feeding():
    """Return the threads by which queues of other processes send what they are given."""
    return {thread for thread in threading.enumerate() if thread.name == "QueueFeederThread"}
