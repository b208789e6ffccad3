"""The playground's command: its port, its networks, its page until Ctrl-C."""

import contextlib
import errno
import os
import socket
import sys
import threading
import webbrowser
from pathlib import Path

from fer_jax.arguments import Parser
from fer_jax.errors import UsageError, UserError, run_command

HOST = "127.0.0.1"  # nobody but this machine
PORT = 7860


@run_command
def main(argv: list[str] | None = None) -> None:
    """Show on a local page what distortions do to a face and to what networks say of it."""
    arguments = make_parser().parse_args(argv)
    listening = listen(arguments.port)
    with listening:
        try:
            from fer_jax import host
            from fer_jax.playground.server import make_app, make_server
        except ModuleNotFoundError as error:
            if error.name not in ("starlette", "uvicorn"):
                raise
            raise UserError(
                f'the playground needs {error.name}: pip install "fer_jax[playground]"'
            ) from error
        host.prepare_process()
        # After the port, so that a busy one is told before networks are loaded.
        from fer_jax.playground.answers import warm_up
        from fer_jax.playground.networks import load_networks
        from fer_jax.playground.samples import list_samples

        networks = load_networks(arguments.models)
        app = make_app(networks, list_samples(data_dir=arguments.data_dir))
        stopped = threading.Event()
        warming = threading.Thread(target=warm_up, args=(networks, stopped))
        warming.start()
        url = f"http://{HOST}:{listening.getsockname()[1]}/"
        print(f"playground: {url} (Ctrl-C stops it)", flush=True)
        if arguments.browser if arguments.browser is not None else has_screen():
            webbrowser.open(url)
        try:
            with contextlib.suppress(KeyboardInterrupt):
                make_server(app).run(sockets=[listening])
        finally:
            stopped.set()
            warming.join()
        print("playground: stopped")


def make_parser() -> Parser:
    """Make the command's parser."""
    parser = Parser("fer_jax.playground", main.__doc__)
    parser.add_argument(
        "models", nargs="*", type=Path, metavar="MODEL",
        help="workdir of a run or a study, or an exported file; the shipped network, where there "
        "is one, always stands beside them",
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"0 takes a free one (default: {PORT})"
    )
    parser.add_argument(
        "--data_dir", metavar="DIR",
        help="folder of the prepared datasets (default: $FER_JAX_DATA, else ./data)",
    )
    parser.add_argument(
        "--browser", action="store_true", default=None,
        help="open the page in a browser (default: where there is a screen)",
    )
    parser.add_argument(
        "--no_browser", action="store_false", dest="browser", help="only print its address"
    )
    return parser


def listen(port: int) -> socket.socket:
    """Listen on a port of this machine alone; 0 takes a free one.

    Raises:
      UsageError: there is no such port.
      UserError: the port is busy or not ours to take.
    """
    if not 0 <= port < 1 << 16:
        raise UsageError(f"--port={port}: expected 0 to 65535")
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except OSError as error:
        listening.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is busy" if error.errno == errno.EADDRINUSE else "needs more rights than yours"
        raise UserError(
            f"port {port} {why}; choose another, such as --port={_another(port)}, or let --port=0 "
            "find a free one"
        ) from error
    return listening


def has_screen() -> bool:
    """Tell whether a browser that is opened from here would be seen by whoever asked."""
    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return sys.stdout.isatty() and (screen or sys.platform in ("darwin", "win32"))


def _another(port: int) -> int:
    """Find a port near by that is free now."""
    for candidate in range(max(port, 1024) + 1, min(port + 1000, 1 << 16)):
        with socket.socket() as tried:
            if tried.connect_ex((HOST, candidate)):
                return candidate
    return PORT
