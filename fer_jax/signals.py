"""SIGTERM and Ctrl-C at moments of our choosing."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ASKING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def collected() -> Iterator[list[int]]:
    """Collect SIGTERM and the first Ctrl-C in a list; a second Ctrl-C interrupts at once.

    What is still in the list when the block ends well is delivered then. Python hears signals in
    the main thread only; in another one nothing is collected.
    """
    requested: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return

    def ask(number, frame):
        if requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        requested.append(number)

    before = {number: signal.signal(number, ask) for number in ASKING}
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if requested:
        signal.raise_signal(requested[0])


@contextmanager
def held_back() -> Iterator[None]:
    """Deliver SIGTERM and Ctrl-C when the block ends: it calls what does not survive them midway.

    Orbax answers them with a closed event loop that its threads still write to.
    """
    with collected():
        yield
