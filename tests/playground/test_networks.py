"""Which networks the page shows, from which places, in which colours."""

import pytest

from fer_jax.errors import UserError
from fer_jax.playground.networks import SHIPPED, dress, load_networks
from fer_jax.report.style import NETWORKS, SPARE
from tests.playground.fakes import make_network

SHIPPED_TITLE = ["Shipped network"] * SHIPPED.is_file()


def test_a_study_shows_its_classifiers_and_a_run_itself(finished_study):
    study = finished_study[0]
    for path in (study, study / "A"):
        networks = load_networks([path])
        assert [network.title for network in networks] == ["Hybrid A", *SHIPPED_TITLE]
        assert networks[0].about.startswith("trained on synthetic faces")
        assert networks[0].denoises
        assert networks[0].colours == NETWORKS["A"][:2]


def test_a_dae_alone_is_refused(finished_study):
    with pytest.raises(UserError, match="holds no finished classifier"):
        load_networks([finished_study[0] / "dae"])


def test_networks_of_a_kind_get_titles_and_colours_of_their_own():
    kinds = ("vgg", "vgg", "A", "unheard of")
    dressed = dress([make_network("VGG", denoises=False, slope=1, kind=kind) for kind in kinds])
    assert [network.title for network in dressed] == ["VGG", "VGG (2)", "VGG (3)", "VGG (4)"]
    looks = [NETWORKS["vgg"], SPARE[0], NETWORKS["A"], SPARE[1]]
    assert [(*n.colours, n.marker) for n in dressed] == looks
