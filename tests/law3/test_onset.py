"""Law 3 of the onset: from where on nginx closes clients that have connected and not yet asked."""

from __future__ import annotations

import pytest

from tests.law3.crowd import CLOSED, Client
from tests.law3.needs import needs
from tests.law3.predictions import drawn, walls
from tests.law3.pushed import Pushed, pushed
from tests.law3.stacks import Stack

pytestmark = [needs, pytest.mark.slow, pytest.mark.parametrize("name", ["even", "odd"])]


class Silent(Client):
    """A client that connects and asks only once it is told to."""

    def greet(self) -> None:
        pass

    def speak(self) -> None:
        super().greet()


def one_silent(clients: Pushed, before: int) -> Silent:
    """Hold so many requests, let a silent client connect, and then one that asks."""
    clients.open(before)
    clients.settle()
    silent = Silent(clients.crowd, "/", stays=False)
    place = clients.run.listens[0]
    clients.wait(
        lambda: silent.connected and not clients.run.in_queue(place) and clients.run.rests(),
        "nginx has the silent client",
    )
    clients.open(1)
    clients.wait(
        lambda: clients.run.in_flight() == before + 1 and clients.run.rests(),
        "the one more is in flight",
    )
    return silent


def onset(name: str, seed: int) -> tuple[Stack, int]:
    """A stack of one worker, and where the model says that failures may begin."""
    stack = drawn(f"{name}_connections", seed)
    return stack, walls(stack)[0].holds.onset


def test_up_to_the_onset_a_silent_client_may_ask_yet(name: str, seed: int) -> None:
    """With the silent client's own request the onset is reached, and nothing has failed."""
    stack, most = onset(name, seed)
    with pushed(stack, may_wait=False) as clients:
        silent = one_silent(clients, most - 2)
        silent.speak()
        clients.wait(lambda: clients.run.in_flight() == most or clients.crowd.failed, "it is in")
        assert clients.crowd.failed == 0, str(clients)
        clients.finish()
        assert clients.crowd.fates == {"200": most}


def test_past_the_onset_a_silent_client_is_closed(name: str, seed: int) -> None:
    """Though there is room for more, the next request costs the silent client its place."""
    stack, most = onset(name, seed)
    with pushed(stack, may_wait=False) as clients:
        silent = one_silent(clients, most)
        clients.wait(lambda: silent.fate, "the silent client is closed")
        assert clients.crowd.fates == {CLOSED: 1}
        clients.open(1)
        clients.wait(lambda: clients.run.in_flight() == most + 2, "there is room for more")
