"""Several processes as one run, really started: equal to one process, stopped, killed, resumed."""

import os
import re
import shutil
import signal
import socket
import time

import pytest

from fer_jax import processes, train
from fer_jax.errors import UsageError, UserError
from tests import running, tiny_study

pytestmark = pytest.mark.usefixtures("quick_compile")

# Twenty steps, of a network with BatchNorm and dropout. Adam at a higher rate lets the last bits
# grow: where a gradient is rounding alone, it takes whole steps.
SETTINGS = {
    "epochs": 5, "optim.learning_rate": 1e-3, "model.blocks": ((4, 1),), "model.dropout": 0.2,
    "evaluation.strengths": (), "evaluation.splits": ("validation",), "mesh.data": 0,
}
FLAGS = (
    f"--config={running.STUDY}:vgg", "--workdir=w",
    *(f"--config.{field}={value}" for field, value in SETTINGS.items()),
)
PATIENCE = 600  # seconds: two processes compile the same at a time, and others may want the cores
LOSSES = ("train_loss", "validation_loss")


def start_pair(folder, *flags, count=2):
    """Start the processes of one run, with two devices each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    return [
        running.Forked(
            *FLAGS, *flags, f"--coordinator={address}", f"--num_processes={count}",
            f"--process_id={i}", cwd=folder, devices=2,
        )
        for i in range(count)
    ]


def finish(pair):
    """Wait for all; give the exit code, stdout and stderr of each."""
    return [running.finish(process, seconds=PATIENCE) for process in pair]


def wait_for_epochs(workdir, pair, *, count):
    """Wait until so many epochs are in the metrics."""
    metrics = workdir / "metrics.jsonl"
    running.wait_for(lambda: running.count_lines(metrics) == count, pair[0], seconds=PATIENCE)


def train_here(workdir, *, devices):
    """Train the same run in this process, or go on with it."""
    config = tiny_study.get_config("vgg")
    config.update_from_flattened_dict(SETTINGS | {"mesh.data": devices})
    train.train_and_evaluate(config, workdir)
    return running.read_rows(workdir)


def assert_close(rows, expected):
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    for row, other in zip(rows, expected, strict=True):
        for name in LOSSES:
            assert row[name] == pytest.approx(other[name], abs=1e-5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Train on one device without interruption; give the rows."""
    return train_here(tmp_path_factory.mktemp("alone") / "w", devices=1)


def test_two_processes_of_two_devices_are_four_devices_are_one(tmp_path, alone):
    assert_close(train_here(tmp_path / "four", devices=4), alone)
    pair = start_pair(tmp_path)
    ended = finish(pair)
    assert [code for code, _, _ in ended] == [0, 0], ended
    assert_close(running.read_rows(tmp_path / "w"), alone)
    # The first writes and speaks; of the other there are at most the libraries' own lines.
    assert "report: w/report.html" in ended[0][1] and (tmp_path / "w" / "report.html").exists()
    # Gloo's threads may break one another's lines.
    libraries = re.compile(r"\[Gloo\]|is connected to \d+ peer ranks")
    said = "".join(ended[1][1:]).splitlines()
    assert not [line for line in said if line.strip() and not libraries.search(line)]
    assert ", 2 processes" in running.read_results(tmp_path / "w")["device"]


def test_a_signal_to_one_stops_all_at_one_step_and_any_number_of_devices_goes_on(tmp_path, alone):
    # These stream their faces, and who goes on keeps them: no result depends on it.
    pair = start_pair(tmp_path, "--config.data.device_budget_mb=0.01")
    wait_for_epochs(tmp_path / "w", pair, count=2)
    pair[1].send_signal(signal.SIGTERM)
    ended = finish(pair)
    assert [code for code, _, _ in ended] == [143, 143], ended
    assert "SIGTERM: saved at step" in ended[0][2] and "saved" not in ended[1][2]
    assert not (tmp_path / "w" / "results.json").exists()
    for devices in (1, 2):
        copy = shutil.copytree(tmp_path / "w", tmp_path / str(devices))
        assert_close(train_here(copy, devices=devices), alone)


@pytest.mark.skipif("FER_JAX_KILLS" not in os.environ, reason="set FER_JAX_KILLS: takes minutes")
@pytest.mark.parametrize("killed", [1, 0])
def test_where_one_is_killed_the_others_stop_within_a_minute_and_the_run_goes_on(
    tmp_path, alone, killed
):
    pair = start_pair(tmp_path)
    wait_for_epochs(tmp_path / "w", pair, count=2)
    pair[killed].kill()
    began = time.monotonic()
    # A connection that closes is noticed at once; silence, as of a lost machine, after HEARTBEAT.
    code, _, err = running.finish(pair[1 - killed], seconds=100)
    assert code not in (0, None) and time.monotonic() - began < 60
    assert processes.explain_end(1 - killed, 2) in err, err
    running.finish(pair[killed])
    again = finish(start_pair(tmp_path))
    assert [code for code, _, _ in again] == [0, 0], again
    assert_close(running.read_rows(tmp_path / "w"), alone)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("a:1", None, None), "--num_processes is missing"),
        ((None, 2, 0), "--coordinator is missing"),
        (("a", 2, 0), "--coordinator=a: expected HOST:PORT"),
        (("a:1", 2, 2), "--process_id=2 of --num_processes=2: expected 0 to 1"),
    ],
)
def test_flags_that_do_not_fit_are_refused(given, message):
    with pytest.raises(UsageError, match=message), processes.joined(*given):
        pass


def test_one_process_is_alone_writes_and_waits_for_nobody():
    with processes.joined():
        assert processes.writes() and not processes.several()
        processes.meet("nobody")
        assert processes.agree(3, 0) == (3, 0)


def test_processes_of_other_bytes_are_refused(monkeypatch):
    processes.check_same("anything", b"one")
    # Another process has a lower checksum.
    monkeypatch.setattr(processes, "agree", lambda one, other: (one, 1 - one))
    with pytest.raises(UserError, match="differ in the faces; start all of them with the same"):
        processes.check_same("the faces", b"one", b"two")


@pytest.mark.parametrize(
    ("variables", "launcher"),
    [
        ({}, None),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, None),  # a batch script
        ({"SLURM_STEP_NUM_TASKS": "1"}, None),
        ({"SLURM_STEP_NUM_TASKS": "4"}, "SLURM"),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "Open MPI"),
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, "GKE"),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, None),
        ({"JOB_COMPLETION_INDEX": "0"}, None),
    ],
)
def test_a_launcher_of_several_is_found_by_its_variables(monkeypatch, variables, launcher):
    for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE", "TPU_WORKER_HOSTNAMES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processes.find_launcher() == launcher
