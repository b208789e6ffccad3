"""Command lines: unknown flags and values are one message that names the nearest."""

import pytest

from configs import common
from fer_jax.arguments import Parser, is_field, set_fields
from fer_jax.errors import UsageError


def make_parser():
    parser = Parser("fer_jax.some", "Do something.\n\nAt length.")
    parser.add_argument("--workdir", required=True, help="of a run")
    parser.add_argument("--seed", type=int)
    return parser


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--wrkdir=x"], "there is no flag --wrkdir. Did you mean '--workdir'? Known: -h, --help"),
        (["--workdir=x", "--seeds", "3"], "there is no flag --seeds. Did you mean '--seed'?"),
        (["--work=x"], "there is no flag --work"),  # no abbreviations: a new flag breaks none
        ([], "the following arguments are required: --workdir"),
        (["--workdir"], "--workdir: expected one argument"),
        (["--workdir=x", "--seed=many"], "--seed: invalid int value: 'many'"),
        (["--workdir=x", "more"], "unrecognized arguments: more"),
    ],
)
def test_a_wrong_command_line_is_answered_with_the_usage(arguments, message):
    with pytest.raises(UsageError) as refused:
        make_parser().parse_args(arguments)
    said = str(refused.value)
    assert message in said and "usage: python -m fer_jax.some" in said


def test_a_right_command_line_is_parsed():
    found = make_parser().parse_args(["--workdir", "x", "--seed=3"])
    assert (found.workdir, found.seed) == ("x", 3)


def test_help_fits_80_columns_and_tells_the_first_paragraph(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        make_parser().parse_args(["--help"])
    out = capsys.readouterr().out
    assert stopped.value.code == 0 and "--seed SEED" in out
    assert "Do something." in out and "At length." not in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("argument", ["--config.seed=1", "--noconfig.restore_best"])
def test_a_field_is_told_from_a_flag(argument):
    assert is_field(argument) and not is_field("--config=configs/vgg.py")
    assert make_parser().parse_known_args(["--workdir=x", argument])[1] == [argument]


def test_fields_are_set_with_the_type_they_have():
    config = set_fields(common.get_config(), [
        "--config.epochs=3", "--config.optim.learning_rate", "1", "--noconfig.restore_best",
        "--config.data.sizes=(1,2,3)", "--config.task=denoise",
    ])
    assert (config.epochs, config.optim.learning_rate, config.restore_best) == (3, 1.0, False)
    assert (config.data.sizes, config.task) == ((1, 2, 3), "denoise")
    # Nothing is left for the next call.
    assert set_fields(common.get_config(), []).epochs == common.get_config().epochs


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--config.epochs=many", "--config.epochs=many: expected a whole number, as in"),
        ("--config.epochs=", "--config.epochs=: expected a whole number"),
        ("--config.epochs", "Missing value for flag --config.epochs"),
        ("--config.restore_best=maybe", "expected true or false, as in --config.restore_best=True"),
        ("--config.optim.beta1=x", "expected a number, as in --config.optim.beta1=0.9"),
        ("--config.optim=adam", "--config.optim is a table; set its fields one by one, as in"),
        ("--config.init=x", "--config.init is a table; set its fields"),
        ("--config.sed=1", "has no field 'sed'. Did you mean 'seed'?"),
        ("--config.=1", "has no field ''"),
        ("--noconfig.epochs", "noconfig.epochs"),
        ("extra", "unexpected argument 'extra'"),
    ],
)
def test_a_field_that_cannot_be_set_is_one_message(argument, message):
    with pytest.raises(UsageError) as refused:
        set_fields(common.get_config(), [argument])
    assert message in str(refused.value)
