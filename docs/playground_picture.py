"""Take the playground's picture for the README: `python -m docs.playground_picture MODEL...`."""

import os
import shutil
import threading
from pathlib import Path

from fer_jax import host
from fer_jax.arguments import Parser
from fer_jax.errors import UserError, run_command

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@run_command
def main(argv: list[str] | None = None) -> None:
    """Serve the playground of some models, and take its picture in headless Chromium."""
    parser = Parser("docs.playground_picture", main.__doc__)
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL", help="as the playground's")
    parser.add_argument("--out", type=Path, default=Path("docs/playground.png"), help="the PNG")
    parser.add_argument(
        "--at", default="kind=random_grey&strength=0.2", help="what the address says behind its #"
    )
    parser.add_argument(
        "--photo", type=Path, help="of a face, dropped on the page in place of a synthetic one"
    )
    arguments = parser.parse_args(argv)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UserError(f"there is no Chromium here; install one of {', '.join(BROWSERS)}")
    host.prepare_process()

    from playwright.sync_api import sync_playwright

    from fer_jax.playground.command import listen
    from fer_jax.playground.networks import load_networks
    from fer_jax.playground.samples import list_samples
    from fer_jax.playground.server import make_app, make_server

    # Drawn faces alone: those of FER2013 are not ours to publish.
    samples = [sample for sample in list_samples() if sample.source == "synthetic"]
    app = make_app(load_networks(arguments.models), samples)
    with listen(0) as listening, sync_playwright() as driver:
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            # Chromium's sandbox refuses to run as root, as in a container.
            sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
            page = driver.chromium.launch(executable_path=browser, args=sandbox).new_page(
                viewport={"width": 1280, "height": 900}
            )
            page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/#{arguments.at}")
            page.wait_for_selector("#results.answered[aria-busy=false]", timeout=300_000)
            if arguments.photo:
                with page.expect_response("**/api/**", timeout=300_000):
                    page.set_input_files("input[type=file]", str(arguments.photo))
                page.wait_for_timeout(3_000)  # the answers, and then the curve, come one by one
                page.wait_for_selector("#results.answered[aria-busy=false]", timeout=300_000)
            page.wait_for_selector("#curve polyline", state="attached", timeout=300_000)
            page.screenshot(path=str(arguments.out), full_page=True)
        finally:
            server.should_exit = True
            thread.join()
    print(arguments.out)


if __name__ == "__main__":
    raise SystemExit(main())
