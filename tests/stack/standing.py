"""Processes that stand still for a while, as on a machine that is paused. Judges nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from holdfast.stack.edge_process import children
from tests.helpers import wait_until


def family(pid: int) -> list[int]:
    """A process, and all that it has started."""
    return [pid, *(each for child in children(pid) for each in family(child))]


@contextlib.contextmanager
def standing_still(pid: int, *, whole: bool = False) -> Iterator[None]:
    """It does nothing in the block, nor, of a `whole` family, does any other; it goes on first."""
    os.kill(pid, signal.SIGSTOP)
    pids = family(pid) if whole else [pid]
    for each in pids:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)


def let_pass(seconds: float) -> None:
    """Wait until so much time has passed: what is tried is the time itself."""
    end_s = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end_s, seconds + 30.0, what="the time is over")
