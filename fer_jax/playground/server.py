"""The page's server: static files, and JSON for what only the networks know."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fer_jax.data import EMOTIONS
from fer_jax.data.faces import SIZE
from fer_jax.errors import UserError
from fer_jax.playground import answers, photos
from fer_jax.playground.kinds import KINDS
from fer_jax.playground.networks import Network
from fer_jax.playground.samples import Sample

STATIC = Path(__file__).parent / "static"
MAX_ASKED = 1 << 16  # bytes of a question: a face and a few numbers are 3 kB

# The page may load and ask nothing but this server, whatever a name or a photo holds.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
# Another site's name that leads to 127.0.0.1 is refused.
HOSTS = ["127.0.0.1", "localhost"]


def make_app(networks: list[Network], samples: list[Sample]) -> Starlette:
    """Make the application for loaded networks and faces to choose from."""
    setup = describe(networks, samples)

    async def page(request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def read_setup(request: Request) -> Response:
        return JSONResponse(setup)

    async def read_photo(request: Request) -> Response:
        data = await _read_body(request, photos.MAX_BYTES)
        return await _answer(lambda: {"faces": photos.read_faces(data)})

    def asking(function: Callable[[list[Network], Any], dict[str, Any]]) -> Callable:
        async def endpoint(request: Request) -> Response:
            body = await _read_body(request, MAX_ASKED)
            return await _answer(lambda: function(networks, _parse(body)))

        return endpoint

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/setup", read_setup),
            Route("/api/photo", read_photo, methods=["POST"]),
            Route("/api/see", asking(answers.see), methods=["POST"]),
            Route("/api/curve", asking(answers.curve), methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(BaseHTTPMiddleware, dispatch=_add_headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS),
        ],
        exception_handlers={HTTPException: _explain, Exception: _explain_bug},
    )


def make_server(app: Starlette) -> uvicorn.Server:
    """Make the server whose `run(sockets=[...])` serves until it is interrupted."""
    return uvicorn.Server(uvicorn.Config(
        app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1
    ))


def describe(networks: list[Network], samples: list[Sample]) -> dict[str, Any]:
    """Describe for the page what there is to choose from, in JSON's terms."""
    return {
        "size": SIZE,
        "emotions": list(EMOTIONS),
        "kinds": [kind._asdict() for kind in KINDS.values()],
        "networks": [
            {
                "title": network.title,
                "classes": list(network.recognizer.labels),
                "about": network.about,
                "light": network.colours[0],
                "dark": network.colours[1],
                "marker": network.marker,
                "denoises": network.denoises,
            }
            for network in networks
        ],
        "samples": [
            {**sample._asdict(), "face": answers.encode_face(sample.face)} for sample in samples
        ],
    }


async def _read_body(request: Request, limit: int) -> bytes:
    """Read what is sent, and no more than `limit` bytes of it."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(
                413, f"that is more than {limit / 1e6:.3g} MB; send a smaller file"
            )
    return bytes(body)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise UserError(f"expected JSON ({error}); reload the page") from error


async def _answer(work: Callable[[], dict[str, Any]]) -> Response:
    """Work beside the event loop, which meanwhile serves other requests."""
    try:
        return JSONResponse(await run_in_threadpool(work))
    except UserError as error:
        return JSONResponse({"error": str(error)}, status_code=400)


async def _add_headers(request: Request, call_next: Callable) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


async def _explain(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": str(error.detail)}, status_code=error.status_code)


async def _explain_bug(request: Request, error: Exception) -> Response:
    said = f"{type(error).__name__}: {error}"
    return JSONResponse(
        {"error": f"the server failed ({said}); its terminal says where"}, status_code=500
    )
