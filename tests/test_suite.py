"""The flags of a suite: what they become, and what is refused before anything is read."""

import pytest

from fer_jax import evaluate, suite
from tests.report.test_suites import suite as fake_entry


@pytest.fixture
def asked(monkeypatch):
    """Let the command run with nothing behind it; gives what it would have run."""
    calls = []

    def add_suite(workdir, asked, **options):
        calls.append((str(workdir), asked, options))
        return fake_entry(0.7)

    monkeypatch.setattr(suite, "add_suite", add_suite)
    return calls


def test_the_flags_become_what_is_asked_and_the_table_is_printed(asked, capsys):
    flags = "--split=private --draws=4 --faces=100 --filter=median --reference=runs/vgg"
    code = evaluate.main(["--workdir=w", "--suite=fer2013-c", *flags.split()])
    assert code == 0
    ((workdir, found, options),) = asked
    assert (workdir, found.split, found.filter.name) == ("w", "private", "median:3")
    assert (found.draws, found.faces, str(options["reference"])) == (4, 100, "runs/vgg")
    assert "random grey*" in capsys.readouterr().out
    evaluate.main(["--workdir=w", "--suite=fer2013-c"])
    _, found, options = asked[1]
    assert (found.split, found.draws, found.faces, found.filter.name) == ("test", 10, None, "")
    assert options["reference"] is None


@pytest.mark.parametrize(
    "flags, said",
    [
        ("--suite=fer2013c", "--suite=fer2013c: unknown. Did you mean 'fer2013-c'?"),
        ("--draws=3", "--draws is for a suite; add --suite=fer2013-c"),
        ("--filter=nlm", "--filter is for a suite"),
        ("--suite=fer2013-c --draws=0", "--draws=0: expected a whole number of 1 or more"),
        ("--suite=fer2013-c --faces=few", "--faces=few: expected a whole number"),
        ("--suite=fer2013-c --filter=mean", "unknown filter 'mean'"),
        ("--suite=fer2013-c --distortion=blur:1", "for one evaluation, not for a suite"),
        ("--suite=fer2013-c --average=logits", "for one evaluation, not for a suite"),
    ],
)
def test_what_does_not_fit_is_refused(asked, capsys, flags, said):
    assert evaluate.main(["--workdir=w", *flags.split()]) == 2
    assert said in capsys.readouterr().err
    assert not asked
