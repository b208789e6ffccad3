"""The command: its port, its end, and what it says where nothing can be shown."""

import json
import signal
import urllib.request

import pytest

from fer_jax import model_file
from fer_jax.data import EMOTIONS
from fer_jax.playground import command
from fer_jax.trained import SHIPPED, Trained, expected_variables
from tests import running, tiny_study
from tests.tiny import fill_variables

pytest.importorskip("uvicorn", reason='needs pip install "fer_jax[playground]"')


def test_a_busy_port_is_one_clear_message(capsys):
    with command.listen(0) as taken:
        port = taken.getsockname()[1]
        assert command.main([f"--port={port}"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: port {port} is busy; choose another, such as --port=")
    suggested = int(said.split("such as --port=")[1].split(",")[0])
    assert suggested > port and len(said.splitlines()) == 1


def test_nobody_but_this_machine_can_reach_it():
    with command.listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_is_none_is_refused(capsys, port):
    assert command.main([f"--port={port}"]) == 2
    assert f"--port={port}: expected 0 to 65535" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_named(capsys, tmp_path):
    assert command.main([str(tmp_path / "gone"), "--port=0"]) == 1
    assert "gone" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_named(capsys, tmp_path):
    assert command.main([str(tmp_path), "--port=0"]) == 1
    assert f"Nothing to report in {tmp_path}" in capsys.readouterr().err


@pytest.mark.skipif(SHIPPED.is_file(), reason="the shipped network is there")
def test_without_any_network_it_says_how_to_get_one(capsys):
    assert command.main(["--port=0"]) == 1
    assert "name a MODEL" in capsys.readouterr().err


def test_an_exported_file_is_served_until_ctrl_c(tmp_path):
    config = tiny_study.get_config("A")
    weights = fill_variables(expected_variables(config, image_shape=(48, 48, 1)))
    model_file.save(tmp_path / "m.safetensors", Trained(config, weights, EMOTIONS, (48, 48, 1), {}))
    process = running.start(
        "m.safetensors", "--port=0", "--no_browser", module="fer_jax.playground", cwd=tmp_path
    )
    said = process.stdout.readline()
    assert said.startswith("playground: http://127.0.0.1:"), process.communicate()
    with urllib.request.urlopen(said.split()[1] + "api/setup") as answer:
        titles = [network["title"] for network in json.load(answer)["networks"]]
    assert titles == ["m"] + ["Shipped network"] * SHIPPED.is_file()
    process.send_signal(signal.SIGINT)
    assert running.finish(process) == (0, "playground: stopped\n", "")
