"""What tests of every room need: a free port and a bounded wait. Knows nothing of the product."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOWEST_PORT, HIGHEST_PORT = 10_240, 32_767
_random = random.Random()  # of its own, since property tests seed the shared one


def free_port(address: str = "127.0.0.1") -> int:
    """Return a TCP port that could be bound just now, below those of outgoing connections."""
    while True:
        port = _random.randint(LOWEST_PORT, HIGHEST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port


def wait_until(condition: Callable[[], T], ceiling_s: float = 30.0, what: str = "") -> T:
    """Return the condition's first true value; fail when there is none in `ceiling_s` seconds."""
    pause, end_s = threading.Event(), time.monotonic() + ceiling_s
    while not (value := condition()):
        assert time.monotonic() < end_s, f"{what or condition} is not so after {ceiling_s:g} s"
        pause.wait(0.01)
    return value
