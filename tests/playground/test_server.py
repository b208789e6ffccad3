"""The server over real HTTP: what it sends, what it refuses, and that nothing leaves the machine."""

import json
import re
import urllib.error
import urllib.request

import pytest

from fer_jax.playground.answers import encode_face

pytest.importorskip("starlette", reason='needs pip install "fer_jax[playground]"')
pytest.importorskip("uvicorn", reason='needs pip install "fer_jax[playground]"')

from fer_jax.playground.server import STATIC
from tests.playground.fakes import FACE, NETWORKS, serving

ASKED = {"face": encode_face(FACE), "kind": "random_grey", "strength": 0.2, "draw": 0}


@pytest.fixture(scope="module")
def address():
    with serving() as address:
        yield address


def get(url: str, data: bytes | None = None, **headers: str):
    """Return the status, the headers and the body."""
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.status, answer.headers, answer.read()


def test_the_page_and_its_files_are_there_with_a_policy_that_lets_nothing_else_in(address):
    names = [path.name for path in STATIC.iterdir()]
    assert {"index.html", "page.js", "style.css"} <= set(names)
    for path in ("", *(f"static/{name}" for name in names), "api/setup"):
        status, headers, _ = get(f"{address}/{path}")
        assert status == 200, path
        assert headers["Content-Security-Policy"].startswith("default-src 'self';")


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_no_file_names_another_site(path):
    # The name of SVG's namespace is not an address that anything is loaded from.
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//[a-z][\w.-]*\.[a-z]+", text) == []


def test_the_setup_tells_what_there_is(address):
    setup = json.loads(get(f"{address}/api/setup")[2])
    assert [network["title"] for network in setup["networks"]] == [n.title for n in NETWORKS]
    assert [network["denoises"] for network in setup["networks"]] == [False, True]
    assert [sample["name"] for sample in setup["samples"]] == ["synthetic-0", "synthetic-1"]


def test_see_and_curve_answer(address):
    for path, key in (("see", "distorted"), ("curve", "strengths")):
        status, _, body = get(f"{address}/api/{path}", json.dumps(ASKED).encode())
        assert status == 200 and key in json.loads(body)


@pytest.mark.parametrize(
    "path, body, status, message",
    [
        ("see", b"{", 400, "expected JSON"),
        ("see", b"[]", 400, "expected a JSON object"),
        ("see", b"\xff\xfe", 400, "expected JSON"),
        ("curve", json.dumps({**ASKED, "kind": "rain"}).encode(), 400, "no distortion 'rain'"),
        ("see", b" " * 70_000, 413, "more than 0.0655 MB"),
        ("photo", b"hello", 400, "no picture"),
        ("photo", b"", 400, "empty"),
        ("nothing", b"", 404, "Not Found"),
    ],
)
def test_what_cannot_be_answered_is_said_in_json(address, path, body, status, message):
    got, _, answer = get(f"{address}/api/{path}", body)
    assert got == status and message in json.loads(answer)["error"]


def test_another_sites_name_for_this_machine_is_refused(address):
    assert get(f"{address}/api/setup", Host="evil.example")[0] == 400
