"""An app whose code changes while it serves, clients that keep asking, and what has become of them.

The witnesses: the generator's count of answers by the version that they tell, the nonces that the
app has noted, and the events of the stack.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from _pytest.mark import ParameterSet

from holdfast.load.counts import FleetSample, FleetTotals
from holdfast.load.fleet import Fleet
from holdfast.load.plan import LoadPlan
from holdfast.sizing.layout import Program
from holdfast.stack.config import Event, StackEvent
from holdfast.stack.process import StackProcess
from holdfast.wire import ENGINES
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.load.servers import check_accounts, load_plan
from tests.stack.driving import APPS, BUSY
from tests.stack.edges import behind

MEAN_S: Final = 2.0
"""The mean time of a request at 2,000 in flight."""
DIRECT: Final[Program | None] = None
WAYS: Final = [pytest.param(DIRECT, id="direct"), *PROGRAMS]
RUN_ENGINES: Final = ("uvicorn", "gevent")
"""One of each interface."""


def _pair(way: ParameterSet, engine: str) -> ParameterSet:
    program = way.values[0]
    return pytest.param(program, engine, marks=way.marks, id=f"{program or 'direct'}-{engine}")


PAIRS: Final = [
    _pair(way, engine) for way, engine in zip(WAYS, ("uvicorn", "gevent", "uvicorn"), strict=True)
]
"""Each way once, and both interfaces."""
ALL: Final = [_pair(way, engine) for way in PROGRAMS for engine in RUN_ENGINES]
"""Both edges with both interfaces."""
EVERY: Final = [_pair(way, engine) for way in WAYS for engine in RUN_ENGINES]
"""And both without an edge."""
_WAIT = Path(__file__).parents[2] / "examples" / "wait" / "wait.py"
_APPS = {"ASGI": "versioned", "WSGI": "versioned_wsgi"}
_CEILING_S: Final = 90.0
"""A drain lasts as long as the longest request, of which a thousand have begun."""


class Site:
    """An app in a folder of its own, of version "1" at first."""

    def __init__(self, folder: Path, engine: str = "uvicorn", mean_s: float = MEAN_S) -> None:
        self.engine, self._folder = engine, folder / "site"
        self._seen = folder / "seen"
        self._name = _APPS[ENGINES[engine].interface]
        self._folder.mkdir()
        for file in ("version.py", f"{self._name}.py"):
            shutil.copy(APPS / file, self._folder)
        shutil.copy(_WAIT, self._folder)
        self.env = {"MEAN_S": f"{mean_s:g}", "SEEN": str(self._seen)}
        self.publish("1")

    @property
    def app(self) -> str:
        """The app as `module:attribute`."""
        return f"{self._name}:app"

    @property
    def folder(self) -> str:
        """Where it lies."""
        return str(self._folder)

    def publish(self, version: str) -> None:
        """New code: who imports the app from now on is of that version."""
        self._put("VERSION", version)

    def spoil(self, code: str) -> None:
        """New code that does this when it is imported, and has no app."""
        self._put(f"{self._name}.py", code)

    def mend(self) -> None:
        """The app's own code again."""
        shutil.copy(APPS / f"{self._name}.py", self._folder)

    def _put(self, name: str, text: str) -> None:
        new = self._folder / f".{name}"
        new.write_text(text)
        os.replace(new, self._folder / name)  # whoever imports it meanwhile has one or the other

    def begun(self) -> Counter[bytes]:
        """How often each nonce has come to the app."""
        return Counter(self._seen.read_bytes().split())

    def fields(self, program: Program | None = DIRECT, **others: Any) -> dict[str, Any]:
        """A stack of two workers of it, behind the edge if there is one."""
        told: dict[str, Any] = {"app": self.app, "app_dir": self.folder, "env": self.env}
        told |= {"engine": self.engine, "grace_s": 60.0, "nofile": 3 * BUSY, "backlog": 4_096}
        told |= {"cap": 2 * BUSY} if ENGINES[self.engine].caps else {}
        return {**told, **({} if program is None else behind(program)), **others}


def asking(port: int, clients: int, **changes: Any) -> LoadPlan:
    """So many clients that each ask again when they are answered, and tell versions apart."""
    usual = {"clients": clients, "nonce": "require", "tally": "x-code-version", "length": 2}
    return load_plan(port, **{**usual, **changes})


@contextlib.contextmanager
def flow(stack: StackProcess, clients: int = BUSY, seed: int = 0) -> Iterator[Fleet]:
    """So many clients, once all of them have been answered once; two flows have two seeds."""
    with Fleet(asking(stack.port, clients, seed=seed)) as fleet:
        fleet.start()
        fleet.allow(clients, 0)
        answer_more(fleet, clients)
        yield fleet


def answer_more(fleet: Fleet, count: int) -> FleetSample:
    """Wait until so many more requests are answered."""
    goal = fleet.read().answered + count
    wait_until(lambda: fleet.read().answered >= goal, what=f"{count:,} more answers")
    return fleet.read()


def check_nothing_lost(site: Site, *flows: FleetTotals) -> None:
    """None failed, none is missing, and each came to the app once."""
    for totals in flows:
        check_accounts(totals)
        assert (totals.failed, totals.unfinished, totals.errors) == (0, 0, {})
        assert sum(totals.tally.values()) == totals.answered
    begun = site.begun()
    assert set(begun.values()) == {1}
    assert len(begun) == sum(totals.sent for totals in flows)


def told(stack: StackProcess, *kinds: str) -> list[StackEvent]:
    """What has been told of the stack as a whole."""
    return [event for event in stack.stack_events() if event.kind in kinds]


def ends(stack: StackProcess, what: str) -> list[StackEvent]:
    """Each end of what was asked ("reload", "scale"), whether it came to pass or not."""
    kinds = {"reload": ("reloaded", "not_reloaded"), "scale": ("scaled", "not_scaled")}
    return told(stack, *kinds[what])


def wait_for_end(stack: StackProcess, what: str, count: int = 1) -> StackEvent:
    """The `count`th of them."""
    wait_until(lambda: len(ends(stack, what)) >= count, _CEILING_S, what=f"the {what} is over")
    return ends(stack, what)[count - 1]


def most_at_once(events: Iterable[Event]) -> int:
    """The most worker processes that there were at once."""
    most = alive = 0
    for event in events:
        alive += (event.kind == "started") - (event.kind in {"stopped", "died"})
        most = max(most, alive)
    return most
