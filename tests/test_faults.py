"""Kills, signals, full and read-only disks, two at once: by the command, and nothing is lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from tests import running

RUNS = ("dae", "A")
LAST_STEP = 3 * 64 // 16  # epochs x faces / batch
# A single run of the quickest network; its checkpoints are 0.2 MB.
LINEAR = (f"--config={running.STUDY}:linear", "--workdir=w")
LONG = (*LINEAR, "--config.epochs=500", "--config.early_stopping.patience=500")


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Run the single run without interruption."""
    folder = tmp_path_factory.mktemp("straight")
    code, _, err = running.fork(*LINEAR, cwd=folder)
    assert code == 0, err
    return folder / "w"


@pytest.fixture
def disk(tmp_path):
    """Mount a file system of 4 MB, which only root may do."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"needs a file system of its own: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def assert_same(here: Path, there: Path) -> None:
    """Compare what two runs left, but for times and dates; none has left anything unfinished."""
    assert running.read_results(here) == running.read_results(there)
    assert running.read_rows(here) == running.read_rows(there)
    (step, killed), (expected_step, expected) = map(running.read_checkpoint, (here, there))
    assert step == expected_step == LAST_STEP
    jax.tree.map(np.testing.assert_array_equal, killed, expected)
    assert (here / "report.html").exists() == (there / "report.html").exists()
    assert not [path.name for path in here.rglob("*tmp*")]


def assert_refused(said: tuple[int, str, str], *parts: str) -> None:
    """Check for exit code 1 and one message of one line with all the parts."""
    code, out, err = said
    assert code == 1 and not out, err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    assert all(part in err for part in parts), err


def find_stage(workdir: Path) -> str:
    """Tell from its files what a study is doing."""
    runs = [workdir / name for name in RUNS]
    if any(workdir.rglob("checkpoints/*tmp*")):
        return "while a checkpoint is written"
    if not (runs[0] / "config.json").exists():
        return "before the first run"
    if all((folder / "results.json").exists() for folder in runs):
        return "in the report"
    folder = next(folder for folder in runs if not (folder / "results.json").exists())
    if not (folder / "config.json").exists():
        return "between runs"
    if (folder / "checkpoints" / str(LAST_STEP)).exists():
        return "in the evaluation"
    if not running.count_lines(folder / "metrics.jsonl"):
        return "in the first compile or epoch"
    return "in an epoch"


def test_killed_at_every_stage_a_study_ends_bit_identical(finished_study, tmp_path):
    workdir = tmp_path / "w"
    dae, hybrid = workdir / "dae", workdir / "A"
    moments = {
        "in the first compile": lambda: (dae / "metrics.jsonl").exists(),
        "while a checkpoint is written": lambda: any(dae.glob("checkpoints/*tmp*")),
        "in an epoch": lambda: running.count_lines(dae / "metrics.jsonl") == 2,
        "between runs": lambda: (dae / "results.json").exists(),
        "in the second run": lambda: running.count_lines(hybrid / "metrics.jsonl") == 1,
        "in the evaluation": lambda: (hybrid / "checkpoints" / str(LAST_STEP)).exists(),
        "in the report": lambda: (workdir / "figures").exists(),
    }
    for moment, reached in moments.items():
        process = running.Forked(*running.COMMAND, cwd=tmp_path)
        running.wait_for(reached, process)
        process.kill()
        code, _, err = running.finish(process)
        assert code == -signal.SIGKILL, f"{moment}: {err}"
    assert not (workdir / "report.html").exists(), "the last kill came too late to mean anything"

    code, out, err = running.fork(*running.COMMAND, cwd=tmp_path)

    assert code == 0, err
    assert out == finished_study[1]
    for name in RUNS:
        assert_same(workdir / name, finished_study[0] / name)


def test_prepare_killed_while_it_reads_or_writes_ends_as_if_nothing_had_happened(tmp_path):
    generator, source = np.random.default_rng(0), tmp_path / "fer2013.csv"
    usages = ["Training"] * 70 + ["PublicTest"] * 28 + ["PrivateTest"] * 28
    faces = generator.integers(0, 256, (126, 48 * 48)).astype(str)
    rows = [f"{i % 7},{' '.join(faces[i])},{usages[i]}" for i in range(126)]
    source.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")

    def prepare(folder):
        arguments = ("fer2013", f"--source={source}", f"--data_dir={folder}")
        return running.Forked(*arguments, module="fer_jax.data.prepare", cwd=tmp_path)

    code, _, err = running.finish(prepare("straight"))
    assert code == 0, err
    killed = tmp_path / "killed"
    for reached in (
        lambda: (killed / ".lock").exists(), lambda: (killed / "fer2013.tmp").exists()
    ):
        process = prepare("killed")
        running.wait_for(reached, process)
        process.kill()
        assert running.finish(process)[0] == -signal.SIGKILL
        assert not (killed / "fer2013.npz").exists()
    code, _, err = running.finish(prepare("killed"))
    assert code == 0, err
    assert sorted(os.listdir(killed)) == sorted(os.listdir(tmp_path / "straight"))
    with np.load(killed / "fer2013.npz") as here, np.load(
        tmp_path / "straight" / "fer2013.npz"
    ) as there:
        assert here.files == there.files
        for name in here.files:
            np.testing.assert_array_equal(here[name], there[name])


@pytest.mark.skipif("FER_JAX_KILLS" not in os.environ, reason="set FER_JAX_KILLS=30 for 30 kills")
def test_killed_at_random_moments_a_study_ends_bit_identical(finished_study, tmp_path, capsys):
    wanted, draw, stages = int(os.environ["FER_JAX_KILLS"]), random.Random(0), []
    began = time.monotonic()
    running.fork(*running.COMMAND, cwd=(tmp_path / "timed").mkdir() or tmp_path / "timed")
    longest = time.monotonic() - began
    folder, studies = tmp_path / "0", 0
    while True:
        folder.mkdir(exist_ok=True)
        process = running.Forked(*running.COMMAND, cwd=folder)
        if len(stages) < wanted:
            process.process.join(draw.uniform(0, longest))
        else:
            process.process.join()
        alive = process.poll() is None
        process.kill()
        code, out, err = running.finish(process)
        if alive and code == -signal.SIGKILL:
            stages.append(find_stage(folder / "w"))
            with capsys.disabled():
                print(f"kill {len(stages)}: {stages[-1]}", flush=True)
            continue
        assert code == 0, err
        assert out == finished_study[1]
        for name in RUNS:
            assert_same(folder / "w" / name, finished_study[0] / name)
        studies += 1
        folder = tmp_path / str(studies)
        if len(stages) == wanted:
            break
    counts = {stage: stages.count(stage) for stage in dict.fromkeys(stages)}
    with capsys.disabled():
        print(f"\n{wanted} kills over {studies} studies: {counts}")


@pytest.mark.parametrize(
    ("number", "code", "reached"),
    [
        (signal.SIGINT, 130, "in training"),
        (signal.SIGTERM, 143, "in the evaluation"),
        (signal.SIGINT, 130, "in the report"),
    ],
)
def test_a_signal_is_one_message_and_the_same_command_goes_on(
    straight, tmp_path, number, code, reached
):
    workdir = tmp_path / "w"
    moments = {
        "in training": lambda: running.count_lines(workdir / "metrics.jsonl") >= 1,
        "in the evaluation": lambda: (workdir / "checkpoints" / str(LAST_STEP)).exists(),
        "in the report": lambda: (workdir / "results.json").exists(),
    }
    process = running.Forked(*LINEAR, cwd=tmp_path)
    running.wait_for(moments[reached], process)
    process.send_signal(number)
    stopped, out, err = running.finish(process)
    assert stopped == code and not out, err
    assert "the same command goes on from" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert running.fork(*LINEAR, cwd=tmp_path)[0] == 0
    assert_same(workdir, straight)


def test_a_second_ctrl_c_stops_now(tmp_path):
    process = running.Forked(*LONG, cwd=tmp_path)
    running.wait_for(lambda: running.count_lines(tmp_path / "w" / "metrics.jsonl") > 2, process)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    code, _, err = running.finish(process, seconds=20)
    assert code == 130 and "Traceback" not in err
    assert "goes on from" in err.splitlines()[-1]


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path):
    first = running.Forked(*running.COMMAND, cwd=tmp_path)
    running.wait_for(
        lambda: running.count_lines(tmp_path / "w" / "dae" / "metrics.jsonl") > 0, first
    )
    first.send_signal(signal.SIGSTOP)  # it holds on to its folder as long as the others take
    for arguments, module, folder in (
        (running.COMMAND, "fer_jax.main", "w"),
        ((f"--config={running.STUDY}:dae", "--workdir=w/dae"), "fer_jax.main", "w/dae"),
        (("--workdir=w/dae",), "fer_jax.evaluate", "w/dae"),
    ):
        said = running.fork(*arguments, module=module, cwd=tmp_path)
        assert_refused(said, f"{folder} is in use by process {first.pid} on ")
    first.kill()
    running.finish(first)
    code, _, err = running.fork(f"--config={running.STUDY}:dae", "--workdir=w/dae", cwd=tmp_path)
    assert code == 0, err


def test_a_full_disk_is_one_message_and_the_run_goes_on_when_there_is_room(straight, disk):
    filler, workdir = disk / "filler", disk / "w"
    # Room for a checkpoint and a half, beside the small files: the second or the third fails.
    checkpoint = straight / "checkpoints" / str(LAST_STEP)
    size = sum(path.stat().st_size for path in checkpoint.rglob("*"))
    filler.write_bytes(bytes(4 * 2**20 - int(1.7 * size)))
    code, out, err = running.fork(*LINEAR, cwd=disk)
    assert code == 1 and not out
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("error: ")
    assert "w/checkpoints: No space left on device; make room there" in err.splitlines()[-1]
    step, _ = running.read_checkpoint(workdir)
    assert 0 < step < LAST_STEP

    filler.unlink()
    code, _, err = running.fork(*LINEAR, cwd=disk)

    assert code == 0 and f"w goes on from step {step}" in err
    assert_same(workdir, straight)


def test_a_file_that_grows_too_large_is_one_message_and_the_run_goes_on(straight, tmp_path):
    # Needs no root: a limit on the size of files below that of a checkpoint's arrays.
    code, out, err = running.fork(*LINEAR, cwd=tmp_path, file_limit=50_000)
    assert code == 1 and not out
    assert "Traceback" not in err
    assert "w/checkpoints: File too large; raise the limit" in err.splitlines()[-1]
    assert running.fork(*LINEAR, cwd=tmp_path)[0] == 0
    assert_same(tmp_path / "w", straight)


def test_a_folder_that_cannot_be_written_is_one_message(straight, disk):
    shutil.copytree(straight, disk / "w")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for arguments, module in (
        (LINEAR, "fer_jax.main"),
        ((*LINEAR[:-1], "--workdir=new"), "fer_jax.main"),
        (("--workdir=w",), "fer_jax.evaluate"),
    ):
        said = running.fork(*arguments, module=module, cwd=disk)
        assert_refused(said, "Read-only file system; choose a folder that can be written")


def test_a_folder_of_another_config_is_refused_with_the_fields(straight, tmp_path):
    shutil.copytree(straight, tmp_path / "w")
    code, out, err = running.fork(
        *LINEAR, "--config.optim.learning_rate=0.5", "--config.seed=3", cwd=tmp_path
    )
    assert code == 1 and not out
    first, *fields, last = err.splitlines()
    assert first == "error: w holds a run of another config:"
    assert fields == ["  config.optim.learning_rate: 0.005 -> 0.5", "  config.seed: 0 -> 3"]
    assert last == "choose another --workdir, or remove that folder"


def test_a_moved_folder_with_mad_clocks_goes_on_and_is_evaluated(straight, tmp_path):
    process = running.Forked(*LINEAR, cwd=tmp_path)
    running.wait_for(lambda: (tmp_path / "w" / "checkpoints" / "8").exists(), process)
    process.kill()
    running.finish(process)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "w").rename(moved / "w")
    # The newer a file, the older it says it is, and some are from the future.
    files = sorted((moved / "w").rglob("*"), key=lambda path: path.stat().st_mtime_ns)
    for i, path in enumerate(reversed(files)):
        os.utime(path, (i * 1e8, i * 1e8))

    code, _, err = running.fork(*LINEAR, cwd=moved)

    assert code == 0 and any(f"w goes on from step {step}" in err for step in (8, 12)), err
    assert_same(moved / "w", straight)
    (moved / "w").rename(tmp_path / "v")
    code, out, err = running.fork("--workdir=v", module="fer_jax.evaluate", cwd=tmp_path)
    assert code == 0 and out.startswith("test clean: loss "), err
    assert running.read_results(tmp_path / "v") == running.read_results(straight)


def test_another_schema_is_refused_by_name(straight, tmp_path):
    shutil.copytree(straight, tmp_path / "w")
    path = tmp_path / "w" / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 7}))
    for arguments, module in ((LINEAR, "fer_jax.main"), (LINEAR[1:], "fer_jax.evaluate")):
        said = running.fork(*arguments, module=module, cwd=tmp_path)
        assert_refused(said, "w/results.json has schema 7, and this code reads schema 1")
    path.write_text("{")
    assert_refused(running.fork(*LINEAR, cwd=tmp_path), "w/results.json is damaged")
    path.unlink()
    for metadata in (tmp_path / "w" / "checkpoints").glob("*/_CHECKPOINT_METADATA"):
        held = json.loads(metadata.read_text())
        held["custom_metadata"]["schema"] = 0
        metadata.write_text(json.dumps(held))
    said = running.fork(*LINEAR, cwd=tmp_path)
    assert_refused(said, "checkpoint 12 of ", "has schema 0, and this code reads schema 1")
