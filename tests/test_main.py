"""The command: what it takes, what it refuses, and that a refusal is one message."""

from pathlib import Path

import pytest

from fer_jax import main as command
from tests import running

CONFIG = f"--config={running.STUDY}"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((f"{CONFIG}:vgg", "--config.optim.lerning_rate=1"), 2, "Did you mean 'learning_rate'?"),
        ((CONFIG, "--config.runs.vggg.epochs=1"), 2, "no field 'runs.vggg.epochs'"),
        ((CONFIG, "--config.runs.dae.epochs.x=1"), 2, "That is one value."),
        ((f"{CONFIG}:vgg", "--config.epochs=abc"), 2, "--config.epochs=abc"),
        ((f"{CONFIG}:vgg", "--config.epochs=1.5"), 2, "--config.epochs=1.5"),
        ((f"{CONFIG}:vgg", "--config.model=3"), 2, "--config.model is a table; set"),
        ((f"{CONFIG}:vgg", "--config.data.sizes[7]=1"), 2, "Did you mean 'sizes'?"),
        ((f"{CONFIG}:vgg", "--config.restore_best=maybe"), 2, "expected true or false"),
        ((f"{CONFIG}:vgg", "--config.optim.learning_rate=fast"), 2, "expected a number, as in"),
        ((f"{CONFIG}:vgg", "--config.epochs=None"), 2, "expected a whole number, as in"),
        ((CONFIG, "--workdri=x"), 2, "Did you mean '--workdir'?"),
        ((CONFIG, "--workdir"), 2, "--workdir: expected one argument"),
        ((CONFIG, "extra"), 2, "unexpected argument 'extra'"),
        (("--config=",), 2, "--config is empty"),
        ((), 2, "required: --config"),
        ((f"{CONFIG}:vgg", "--config.epochs=-1"), 1, "config.epochs is -1; expected"),
        ((f"{CONFIG}:vgg", "--config.data.sizes=3"), 1, "is (3,), a tuple of 1; expected 3"),
        ((CONFIG, "--config.runs.dae.epochs=-1"), 1, "config.runs.dae.epochs is -1; expected"),
        ((CONFIG, "--config.runs.A.mesh.data=3"), 1, "config.runs.A.batch_size is 16, which 3"),
        ((f"{CONFIG}:vgg", "--config.mesh.data=9"), 1, "this machine has 4 cpu device(s)"),
        ((f"{CONFIG}:vgg", f"--workdir={__file__}/w"), 1, "test_main.py is a file; name a folder"),
        (("--config=.",), 1, "is a folder"),
        ((f"{CONFIG}:vvg",), 1, "Did you mean 'vgg'? Known: "),
        (("--config=configs/vgg_da.py",), 1, "Did you mean 'configs/vgg_dae.py'?"),
        (("--config", "configs/vgg.py:smal"), 1, "Did you mean 'small'?"),
    ],
)
def test_a_wrong_command_line_is_one_message(
    capsys, monkeypatch, tmp_path, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    assert command.main(list(arguments)) == code
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("error: ") and message in err and "Traceback" not in err
    assert ("usage: python -m fer_jax.main --config=" in err) <= (code == 2)
    assert not list(tmp_path.iterdir()), "nothing is written before the command is understood"


def test_help_lists_the_flags(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert all(flag in out for flag in ("--config", "--workdir", "--data_dir", "--config.FIELD"))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("configs/vgg.py", "runs/vgg"),
        ("configs/vgg_dae.py:small", "runs/vgg_dae-small"),
        ("/else/where/mine.py:finetune,small", "runs/mine-finetune,small"),
    ],
)
def test_the_default_workdir_is_named_after_config_and_variant(reference, expected):
    assert command.default_workdir(reference) == Path(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config=configs/vgg.py", "--data_dir=nowhere"), "configs/quickstart.py"),
        ((f"{CONFIG}:vgg", "--config.batch_size=65"), "more than the 64 training faces"),
        ((f"{CONFIG}:A",), "the study has no run 'dae'"),
    ],
)
def test_what_cannot_run_is_one_message_and_blocks_nothing(tmp_path, arguments, message):
    code, out, err = running.run(*arguments, "--workdir=w", cwd=tmp_path)
    assert code == 1, err
    assert not out and message in err and "Traceback" not in err
    assert err.startswith("error: "), "nothing else is said, by no library either"
    assert not (tmp_path / "w" / "results.json").exists()
