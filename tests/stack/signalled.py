"""Signals to a supervisor at any moment of a reload, and what is left of its stack afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading

from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.stack.driving import Client, config, marked

VISITORS = 4
LATEST = 12
"""A reload of two workers is over after ten events."""
OVER = ("reloaded", "not_reloaded", "drained")


class Visitors:
    """Clients that ask one request after the other until nobody lets them in."""

    def __init__(self, port: int) -> None:
        self.answered = self.lost = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._come, args=(port,)) for _ in range(VISITORS)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all have gone."""
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _come(self, port: int) -> None:
        while True:
            try:
                client = Client(port)
            except OSError:
                return
            with contextlib.closing(client.socket):
                while self._is_answered(client):
                    pass

    def _is_answered(self, client: Client) -> bool:
        """Ask once: whether it is answered, and the connection stays."""
        try:
            client.ask()
            client.finish()
            status, headers, _ = client.read()
        except OSError:
            status, headers = 0, {}
        with self._lock:
            self.answered += status == 200
            self.lost += status != 200
        return status == 200 and headers.get("connection") != "close"


def check_signalled(lots: random.Random, mark: str) -> None:
    """HUP, then some of HUP, TERM and INT after so many events each, and TERM if there was none."""
    ending = (signal.SIGTERM, signal.SIGINT)
    more = lots.choices((signal.SIGHUP, *ending), k=lots.randint(1, 3))
    numbers = [signal.SIGHUP, *more]
    if not set(numbers) & set(ending):
        numbers.append(signal.SIGTERM)
    with StackProcess(config()) as stack:
        stack.start()
        stack.wait_until_ready(60)
        folder = stack.serving.run_dir
        visitors = Visitors(stack.port)
        wait_until(lambda: visitors.answered > 0)
        stack.events()
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stack.supervisor_pid, number)
            wait_for_events(stack, lots.randrange(LATEST))
        wait_until(lambda: not stack.is_alive(), 60.0, what="the supervisor ends")
        visitors.join()
        wait_until(lambda: not marked(mark), what="no process left")
        wait_until(lambda: not os.path.exists(folder), what="no folder left")
    if sum(number in ending for number in numbers) == 1:
        assert visitors.lost == 0


def wait_for_events(stack: StackProcess, count: int) -> None:
    """Wait for so many events of the workers, or for the end of what is under way."""
    found = 0

    def is_there() -> bool:
        nonlocal found
        found += len(stack.events())
        last = stack.stack_events()[-1:]
        return found >= count or not stack.is_alive() or bool(last and last[0].kind in OVER)

    wait_until(is_there, what="the next event")
