"""What an app of a version knows: it is read when it is imported, from the file beside it.

A request that carries a nonce takes a lognormal time that depends on nothing else, and is noted in
the file SEEN when it begins: one that comes twice shows.
"""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

HEADER, NONCE = "x-code-version", "x-holdfast-nonce"
VERSION = Path(__file__).with_name("VERSION").read_text().strip()
MEAN_S = float(os.environ["MEAN_S"])
SIGMA = float(os.environ.get("SIGMA", "0.25"))
MU = math.log(MEAN_S) - SIGMA * SIGMA / 2  # exp(mu + sigma^2 / 2) is a lognormal's mean

_seen = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def time_s(nonce: str) -> float:
    """How long the request of that nonce takes: its halves are two uniform draws (Box-Muller)."""
    high, low = divmod(int(nonce, 16), 2**32)
    normal = math.sqrt(-2.0 * math.log((high + 1) / 2**32)) * math.cos(2.0 * math.pi * low / 2**32)
    return math.exp(MU + SIGMA * normal)


def begin(nonce: str) -> float:
    """Note that the request begins, whole and at once; and say how long it takes."""
    if not nonce:
        return 0.0
    os.write(_seen, f"{nonce}\n".encode())
    return time_s(nonce)


def wait(nonce: str) -> None:
    """Let the request take its time; gevent has put its own wait in the place of this one."""
    threading.Event().wait(begin(nonce))
