"""The summary: the papers' counts, the layers in order, and studies, which need a choice."""

import json

import jax
import pytest

from fer_jax import summary
from fer_jax.configuring import load_config
from fer_jax.errors import UserError


def run(capsys, *arguments: str):
    code = summary.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    "arguments, trainable, frozen, non_trainable",
    [
        # The sums are in tests/models/.
        (["--config=configs/vgg.py"], 33_644_103, 0, 19_328),
        (["--config=configs/dae.py"], 12_465, 0, 0),
        (["--config=configs/vgg_dae.py:A"], 33_644_103, 12_465, 19_328),
        (["--config=configs/vgg_dae.py:B"], 33_644_103 + 12_465, 0, 19_328),
        (["--config=configs/vgg_dae.py", "--run=A"], 33_644_103, 12_465, 19_328),
        (["--config=configs/quickstart.py", "--run=linear"], 16_135, 0, 0),
    ],
)
def test_json_is_the_counts_alone(capsys, arguments, trainable, frozen, non_trainable):
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    assert json.loads(out) == {
        "trainable": trainable, "frozen": frozen, "non_trainable": non_trainable
    }


def test_layers_stand_in_the_order_they_run_and_add_up():
    layers, state = summary.list_layers(load_config("configs/vgg_dae.py:A"))
    # 5 of the DAE; 13 convolutions, 7 BatchNorms, 2 dense and the head of the VGG.
    assert len(layers) == 5 + 13 + 7 + 2 + 1
    assert [layer.name for layer in layers[:6]] == [
        "dae/encode1", "dae/encode2", "dae/decode1", "dae/decode2", "dae/decode3", "vgg/conv1_1"
    ]
    by_name = {layer.name: layer for layer in layers}
    assert by_name["vgg/conv1_2"] == (
        # 9 * 64 * 64 + 64
        "vgg/conv1_2", "Conv", (48, 48, 64), 36_928, 0, "train"
    )
    assert by_name["vgg/bn5"] == ("vgg/bn5", "BatchNorm", (3, 3, 512), 1024, 1024, "train")
    assert by_name["dae/decode3"].output == (48, 48, 1)
    assert {layer.rule for layer in layers if layer.name.startswith("dae/")} == {"frozen"}
    assert sum(layer.parameters for layer in layers) == 33_644_103 + 12_465
    assert sum(layer.statistics for layer in layers) == 19_328
    # Shapes alone: nothing of the 134 MB was made.
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(state))


def test_the_table_fits_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run(capsys, "--config=configs/vgg_dae.py:A")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in out
    words = next(line.split() for line in lines if "vgg/bn7" in line)
    assert words == ["vgg/bn7", "BatchNorm", "4096", "8,192", "8,192", "train"]
    assert "33,644,103 trainable parameters, 12,465 frozen, 19,328 running statistics" in out


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["--config=configs/vgg_dae.py"], 2, "choose one of its runs by --run=NAME: dae, vgg, A"),
        (["--config=configs/vgg_dae.py", "--run=C"], 2, "has no run 'C'"),
        (["--config=configs/vgg.py", "--run=A"], 2, "is a single run; leave out --run=A"),
        (["--config=configs/none.py"], 1, "there is no config file 'configs/none.py'"),
    ],
)
def test_what_cannot_be_shown_is_answered(capsys, arguments, code, message):
    found, out, err = run(capsys, *arguments, "--json")
    assert (found, out) == (code, "")
    assert message in err


def test_an_unknown_dataset_is_answered():
    config = load_config("configs/dae.py")
    config.data.dataset = "fer2031"
    with pytest.raises(UserError, match=r"no dataset 'fer2031'.* Did you mean 'fer2013'\?"):
        summary.abstract_state(config)
