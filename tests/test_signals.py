"""Signals are heard at moments of our choosing, and never lost."""

import signal
import threading

import pytest

from fer_jax import signals


class Heard(Exception):
    """What the handler outside the block raises."""


@pytest.fixture(autouse=True)
def handler():
    def hear(number, frame):
        raise Heard(number)

    before = signal.signal(signal.SIGTERM, hear)
    yield hear
    signal.signal(signal.SIGTERM, before)


def test_a_signal_held_back_comes_when_the_block_is_done(handler):
    done = []
    with pytest.raises(Heard, match="15"), signals.held_back():
        signal.raise_signal(signal.SIGTERM)
        done.append(True)
    assert done and signal.getsignal(signal.SIGTERM) is handler


def test_a_signal_that_nobody_acted_on_is_not_lost():
    with pytest.raises(Heard), signals.collected() as requested:
        signal.raise_signal(signal.SIGTERM)
        assert requested == [signal.SIGTERM]


def test_who_acts_on_a_signal_by_an_error_keeps_that_error():
    with pytest.raises(KeyError), signals.collected() as requested:
        signal.raise_signal(signal.SIGTERM)
        raise KeyError(requested[0])


def test_a_second_ctrl_c_does_not_wait():
    with pytest.raises(KeyboardInterrupt), signals.collected():
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        pytest.fail("the second one was held back too")


def test_another_thread_can_run_the_block():
    found = []

    def work():
        with signals.held_back():
            found.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]
