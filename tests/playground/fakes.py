"""Networks with known answers, faces to choose from, and the playground's server around them."""

import contextlib
import threading
import time

import numpy as np

from fer_jax.data import EMOTIONS
from fer_jax.playground.command import listen
from fer_jax.playground.networks import Network
from fer_jax.playground.samples import Sample
from fer_jax.recognizer import Recognizer

HAPPY = EMOTIONS.index("happy")


def make_network(title: str, *, denoises: bool, slope: float, kind: str = "") -> Network:
    """Make a network whose probability of happy is `slope` times the share of spoilt pixels from 1.

    Of a face that is uniformly grey 100, a pixel of another level is spoilt. The rest goes to sad.
    """

    def answer(images):
        happy = 1 - slope * (images != 100).mean((1, 2, 3))
        probabilities = np.zeros((len(images), len(EMOTIONS)), np.float32)
        probabilities[:, HAPPY] = happy
        probabilities[:, EMOTIONS.index("sad")] = 1 - happy
        return probabilities

    recognizer = Recognizer(
        labels=EMOTIONS, image_shape=(48, 48, 1), config={}, card={}, answer=answer,
        reconstruct=(lambda images: np.full(images.shape, 0.5, np.float32)) if denoises else None,
    )
    return Network(title, "made up", kind, ("#0067a5", "#5cb3f0"), "o", recognizer)


NETWORKS = [
    make_network("Weak", denoises=False, slope=1.0),
    make_network("Strong", denoises=True, slope=0.25),
]
FACE = np.full((48, 48), 100, np.uint8)
OTHER = np.where(np.arange(48) < 24, 60, 200).astype(np.uint8) * np.ones((48, 1), np.uint8)
SAMPLES = [
    Sample("synthetic-0", "synthetic", FACE, HAPPY),
    Sample("synthetic-1", "synthetic", OTHER, EMOTIONS.index("sad")),
]


@contextlib.contextmanager
def serving(networks=NETWORKS, samples=SAMPLES):
    """Serve the playground on a free port while the block runs; gives its address."""
    from fer_jax.playground.server import make_app, make_server

    with listen(0) as listening:
        server = make_server(make_app(networks, samples))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
