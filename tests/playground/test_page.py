"""The page in a real headless Chromium: dropped photos, the slider, the keyboard, a phone."""

import io
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason='needs pip install "fer_jax[playground]"')
playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")

from fer_jax.playground import photos
from tests.playground.fakes import serving

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"needs one of {', '.join(NAMES)}")

# What the page shows, as its own reader would put it.
BARS = """() => [...document.querySelectorAll('.card')].map(card =>
    [...card.querySelectorAll('.bar span')].map(bar => parseFloat(bar.style.width)))"""
PIXELS = """id => [...document.getElementById(id).getContext('2d')
    .getImageData(0, 0, 48, 48).data].filter((_, i) => i % 4 == 0)"""
HAPPY = 3


@pytest.fixture(scope="module")
def address():
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    # Chromium's sandbox refuses to run as root, as in a container.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """Open the page, and fail where it asks another site or an error stays unhandled."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, wrong = context.new_page(), []
    page.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(address) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    settle(page)
    yield page
    context.close()
    assert wrong == []


PATIENCE = 120_000  # ms: a busy machine compiles slowly


def settle(page):
    """Wait until the networks have answered what the page asked last."""
    page.wait_for_selector(".card", timeout=PATIENCE)
    page.wait_for_selector("#results[aria-busy=false]", state="attached", timeout=PATIENCE)


def set_strength(page, strength: float):
    page.locator("#strength").fill(str(strength))
    settle(page)


def make_png(size: tuple[int, int] = (96, 64), grey: int = 100) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, grey).save(buffer, format="png")
    return buffer.getvalue()


def drop(page, name: str, data: bytes):
    """Drop a file onto the page, as a hand would."""
    held = page.evaluate_handle(
        """([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name));
            return transfer;
        }""",
        [name, list(data)],
    )
    page.dispatch_event("body", "drop", {"dataTransfer": held})


def test_the_slider_moves_the_bars(page):
    set_strength(page, 0)
    assert page.inner_text("#distorted-caption") == "clean"
    weak, strong = page.evaluate(BARS)
    assert weak[HAPPY] == strong[HAPPY] == 100  # grey 100 everywhere is happy, by the fakes
    set_strength(page, 0.5)
    pixels = np.array(page.evaluate(PIXELS, "distorted"))
    spoilt = 100 * (pixels != 100).mean()
    weak, strong = page.evaluate(BARS)
    assert weak[HAPPY] == pytest.approx(100 - spoilt, abs=0.01)
    assert strong[HAPPY] == pytest.approx(100 - spoilt / 4, abs=0.01)
    assert "Random grey p = 0.5. It shows happy. Weak says" in page.inner_text("#status")
    assert page.locator("#curve polyline").count() == 2
    assert page.locator("#pictures .denoised").count() == 1  # of the one with a DAE


def test_the_address_holds_the_picture(page):
    page.select_option("#kind", "jpeg")
    page.locator("input[name=face][value=synthetic-1]").check(force=True)
    set_strength(page, 2)
    before = page.evaluate(PIXELS, "distorted"), page.evaluate(BARS)
    assert re.search("face=synthetic-1&kind=jpeg&strength=2&draw=0$", page.url)
    page.reload()
    settle(page)
    assert (page.evaluate(PIXELS, "distorted"), page.evaluate(BARS)) == before


def test_a_dropped_photo_is_shown_and_survives_a_reload(page, monkeypatch):
    monkeypatch.setattr(photos, "find_faces", lambda photo: [])  # needs no OpenCV
    drop(page, "me.png", make_png())
    page.wait_for_selector("#found input:checked", state="attached")
    set_strength(page, 0)
    assert set(page.evaluate(PIXELS, "face")) == {100}
    assert page.inner_text("#face-caption").startswith("me.png")
    # Nobody knows its emotion: the curve is of what each network says of the clean face.
    assert "each says of the clean face" in page.inner_text("#curve-title")
    page.reload()
    settle(page)
    assert page.inner_text("#face-caption").startswith("me.png")
    assert set(page.evaluate(PIXELS, "face")) == {100}


def test_what_is_no_photo_is_said_on_the_page(page):
    drop(page, "notes.txt", b"hello")
    page.wait_for_selector("#alert:not([hidden])")
    assert page.inner_text("#alert p").startswith("notes.txt: it is no picture")
    page.get_by_role("button", name="Close").click()
    assert page.locator("#alert").is_hidden()


def test_an_address_of_a_photo_that_is_gone_says_so(page, address):
    page.goto(f"{address}/#face=photo:0&kind=jpeg&strength=9")
    page.reload()
    settle(page)
    assert "dropped in another tab" in page.inner_text("#alert p")
    assert page.input_value("#kind") == "jpeg"
    assert page.input_value("#strength") == "5"  # the greatest there is


def test_everything_can_be_done_by_keyboard(page):
    reached, seen = [], None
    for _ in range(9):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "(({id, name, tagName}) => id || name || tagName)(document.activeElement)"
        )
        reached.append(seen)
        if seen == "strength":
            before = page.input_value("#strength")
            page.keyboard.press("ArrowRight")
            settle(page)
            assert page.input_value("#strength") > before
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
        if seen == "face":
            page.keyboard.press("ArrowRight")
            settle(page)
            assert "face=synthetic-1" in page.url
    assert [name for name in reached if name in ("face", "file", "kind", "strength", "draw")] == [
        "face", "file", "kind", "strength", "draw",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(browser, address, scheme):
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    # The slider stays in sight while the bars below are looked at.
    page.locator(".card").first.scroll_into_view_if_needed()
    assert page.locator("#strength").is_visible()
    box = page.locator("#strength").bounding_box()
    assert 0 <= box["y"] < 740
    context.close()


def test_without_its_server_the_page_says_so(browser):
    with serving() as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        settle(page)
    page.locator("#clean").click()
    page.wait_for_selector("#alert:not([hidden])")
    assert "server does not answer" in page.inner_text("#alert p")
    context.close()
