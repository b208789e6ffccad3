"""report.html parses, asks for nothing outside, holds the numbers, and stands missing pieces."""

import html.parser
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from fer_jax.report import write_report
from tests.report.fakes import KINDS, evaluation, write_run, write_study

VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(html.parser.HTMLParser):
    """Collect a page's tags, attributes and text; fail on tags that do not match."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.text, self.cells = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, text):
        if "style" not in self.open:
            self.text.append(text)
        if self.open[-1:] == ["td"]:
            self.cells.append(text.strip())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Give a whole study's workdir with its report, and the report's text."""
    workdir = tmp_path_factory.mktemp("reports") / "study"
    write_study(workdir, tuple(KINDS))
    return workdir, write_report(workdir).read_text(encoding="utf-8")


def test_the_page_parses_and_has_unique_ids(study):
    page = Page(study[1])
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = re.findall(r'(?:href="#|url\(#)([^")]+)', study[1])
    assert set(links) <= set(ids)


def test_the_page_asks_for_nothing_outside_and_stays_small(study):
    workdir, text = study
    for tag, attrs in Page(text).tags:
        for name in ("src", "href", "xlink:href", "srcset", "data"):
            assert attrs.get(name, "#").startswith(("#", "data:")), (tag, attrs)
    assert "http" not in text and "@import" not in text and "<script" not in text
    assert (workdir / "report.html").stat().st_size < 3_000_000
    assert not list(workdir.rglob("*.tmp"))


def test_every_picture_has_a_text(study):
    pictures = [(t, a) for t, a in Page(study[1]).tags if t == "img" or a.get("role") == "img"]
    assert len(pictures) > 20
    assert all(attrs.get("alt") or attrs.get("aria-label") for _, attrs in pictures)


def test_the_headline_and_the_tables_hold_the_results(study):
    page = Page(study[1])
    text = " ".join(page.text).replace("\xa0", " ")
    a, v = (evaluation(kind, "test", "random_grey", 0.3)["accuracy"] for kind in ("A", "vgg"))
    assert f"hybrid A is right on {100 * a:.1f} % of 280 synthetic test faces" in text
    assert f"the plain VGG on {100 * v:.1f} %" in text
    for kind in ("vgg", "A", "B", "linear", "finetune", "multitask"):
        for condition in (("clean", 0.0), ("random_grey", 0.3)):
            ours = evaluation(kind, "test", *condition)
            assert f"{100 * ours['accuracy']:.2f} %" in page.cells
            assert f"{ours['loss']:.4f}" in page.cells
    for number in ("1.0874", "58.78 %", "3.2104", "16.70 %", "57.73 %", "24.71 %", "0.5528"):
        assert number in page.cells
    assert "33,644,103" in page.cells


def test_synthetic_is_said_in_a_banner_and_beside_our_numbers(study):
    assert '<p class="banner" role="note"><strong>SYNTHETIC' in study[1]
    table = re.search(r"<caption>Table 3.*?</table>", study[1], re.DOTALL).group()
    assert table.count('<span class="syn">synthetic</span>') == 4  # loss, accuracy; two rows


def test_real_faces_are_not_called_synthetic(tmp_path):
    write_study(tmp_path / "real", ("dae", "vgg"), dataset="fer2013")
    text = write_report(tmp_path / "real").read_text(encoding="utf-8")
    assert "synthetic" not in text.lower() and "0.5442" in text and "FER2013" in text


def test_alarms_and_collapse_are_prominent(study):
    alarms = re.search(r'<section class="alarms".*?</section>', study[1], re.DOTALL).group()
    assert "Hybrid B" in alarms and "every validation face is called happy" in alarms
    assert "Hybrid A" not in alarms
    assert '<span class="collapsed">collapsed</span>' in study[1]


def test_figures_are_pictures_with_something_on_them(study):
    names = {path.stem for path in (study[0] / "figures").glob("*.png")}
    assert {"robustness", "samples", "recall-clean", "curve-dae-loss"} <= names
    assert {"confusion-A-clean", "confusion-A-distorted", "curve-B-accuracy"} <= names
    assert "curve-dae-accuracy" not in names  # a DAE has none
    for path in (study[0] / "figures").glob("*.png"):
        pixels = np.asarray(Image.open(path).convert("L"))
        assert min(pixels.shape) > 200 and pixels.std() > 5, path


def test_a_report_made_twice_is_the_same(tmp_path):
    write_run(tmp_path / "dae", "dae")
    first, second = (write_report(tmp_path / "dae").read_text(encoding="utf-8") for _ in range(2))
    assert first == second


def test_text_from_results_is_escaped(tmp_path):
    found = write_run(tmp_path / "vgg", "vgg", epochs=1)
    evil = '<script>alert("$x$&")</script>'
    found |= {"command": evil, "device": evil, "commit": evil, "alarms": [evil], "run": evil}
    found |= {"model": evil, "dataset": evil, "protocol": evil, "cost": {evil: evil}}
    found["config"]["distortion"]["name"] = evil
    (tmp_path / "vgg" / "results.json").write_text(json.dumps(found))
    text = write_report(tmp_path / "vgg").read_text(encoding="utf-8")
    Page(text)
    assert "<script" not in text and "&lt;script&gt;" in text


@pytest.mark.parametrize("kind", ["dae", "vgg", "A"])
def test_a_single_run_has_a_report_of_its_own(tmp_path, kind):
    write_run(tmp_path / "one", kind, epochs=1)
    text = write_report(tmp_path / "one").read_text(encoding="utf-8")
    Page(text)
    assert "Run one" in text
    assert ("Table 2" in text, "Table 3" in text) == (kind == "vgg", kind == "A")


def test_the_report_holds_when_pieces_are_missing(tmp_path):
    workdir = tmp_path / "part"
    results = write_study(workdir, ("dae", "vgg", "A"), epochs=1)
    for name in ("dae/samples.npz", "A/samples.npz", "vgg/metrics.jsonl"):
        (workdir / name).unlink()
    shutil.rmtree(workdir / "A")
    undefined = dict.fromkeys(("loss", "accuracy", "accuracy_low", "accuracy_high", "macro_f1"))
    for e in results[1]["evaluations"]:
        e |= undefined
        e["per_class"]["recall"] = [None] * 7
    results[2] = {k: results[2][k] for k in ("run", "model", "variant", "evaluations")}
    results[2]["evaluations"] = results[2]["evaluations"][:1]
    (workdir / "results.json").write_text(json.dumps(results))
    Page(write_report(workdir).read_text(encoding="utf-8"))


def test_a_study_that_is_still_running_can_be_looked_at(tmp_path):
    workdir = tmp_path / "running"
    write_study(workdir, ("dae", "vgg"))
    (workdir / "results.json").unlink()
    (workdir / "vgg/results.json").unlink()
    with (workdir / "vgg/metrics.jsonl").open("a") as file:
        file.write('{"epoch": 13, "train_lo')  # killed while it wrote
    text = write_report(workdir).read_text(encoding="utf-8")
    Page(text)
    assert "not finished: no results, epochs so far: 12" in text
