"""Law 3 in small: servers of apps hold what their rows say, and the next request meets the act.

Each is started for real with small caps, behind nothing, and its app counts what is in flight.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path as File

import pytest

from holdfast.model.holding import holds
from holdfast.model.limit import Act, Limit
from holdfast.model.path import Count, Demand, Hop, Host, Kind, Path
from holdfast.model.values import Scalar, assumed
from holdfast.programs.catalog import completed, path_walls
from holdfast.proof.kernel import PortWitness
from tests.helpers import free_port, wait_until
from tests.law3.crowd import CLOSED, Crowd
from tests.programs.notes import Notes

EXCESS = 8
PLAIN = Demand(100, (Kind("plain", 1.0, 8.0),))
BIN = File(sys.executable).parent


def served(program: str, processes: int, **settings: Scalar) -> Path:
    """A path of one server with the settings that a case was told."""
    values = tuple(assumed(name, value, "the case says so") for name, value in settings.items())
    hop = completed(Hop("app", program, "", "here", processes, values))
    return Path((Host("here", Count(), 2, 2**34),), (hop,))


def narrowest(path: Path) -> Limit:
    """The limit that is met first."""
    return path_walls(path, PLAIN)[0][0]


class Serving:
    """A server that runs, and where the requests of a crowd are."""

    def __init__(self, argv: list[str], before: list[str], own: ExitStack) -> None:
        self.folder = File(tempfile.mkdtemp(prefix="held-"))
        own.callback(shutil.rmtree, self.folder)
        self.port = free_port()
        said = [word.replace("PORT", str(self.port)) for word in argv]
        log = (self.folder / "log").open("a")
        own.callback(log.close)
        self.process = subprocess.Popen(
            [*before, str(BIN / said[0]), *said[1:]],
            cwd=File(__file__).parent,
            env={**os.environ, "HELD": str(self.folder), "PYTHONPATH": str(File(__file__).parent)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        own.callback(self._stop)
        self.notes = Notes(self.folder, self.folder / "log")
        self.crowd = own.enter_context(Crowd(("127.0.0.1", self.port)))

    def _stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def workers(self) -> int:
        """Processes that have loaded the app; who serves alone is the first one."""
        family = {self.process.pid, *self._family(self.process.pid)}
        return len(self.notes.read().loaded & family)

    def _family(self, pid: int) -> Iterator[int]:
        children: list[str] = []
        with suppress(OSError):
            children = File(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, children):
            yield child
            yield from self._family(child)

    def in_queue(self) -> int:
        """Connections that no process has accepted."""
        return PortWitness(self.port).queue().queued

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Serve the clients until the condition holds."""

        def once() -> object:
            self.crowd.step()
            return condition()

        try:
            wait_until(once, what=what)
        except AssertionError as late:
            state = f"{self.notes.started} {dict(self.crowd.fates)} {self.in_queue()} queued"
            raise AssertionError(f"{late}: {state} {(self.folder / 'log').read_text()}") from late


@contextmanager
def serving(
    argv: list[str], workers: int, *, nofile: int = 0, before: Sequence[str] = ()
) -> Iterator[Serving]:
    """Start a server, wait for its workers, and stop it afterwards; `before` starts it."""
    limit = ["prlimit", f"--nofile={nofile}"] if nofile else []
    with ExitStack() as own:
        run = Serving(argv, [*before, *limit], own)
        try:
            wait_until(lambda: run.workers() >= workers and _listens(run.port), what="it serves")
        except (AssertionError, OSError) as late:
            raise AssertionError(f"{late}: {(run.folder / 'log').read_text()}") from late
        yield run


def _listens(port: int) -> bool:
    return PortWitness(port).queue().sockets > 0


GUNICORN = ["gunicorn", "--no-control-socket", "-b", "127.0.0.1:PORT", "-w", "2"]
CAPPED = {
    "sync": (served("gunicorn", 2), [*GUNICORN, "held_app:wsgi"]),
    "gthread": (
        served("gunicorn", 2, threads=3, worker_connections=20),
        [*GUNICORN, "--threads", "3", "--worker-connections", "20", "held_app:wsgi"],
    ),
    "gevent": (
        served("gunicorn", 2, worker_class="gevent", worker_connections=4),
        [*GUNICORN, "-k", "gevent", "--worker-connections", "4", "held_app:wsgi"],
    ),
    "granian": (
        served("granian", 1, interface="asgi", backpressure=4),
        [
            "granian",
            "--port",
            "PORT",
            "--backpressure",
            "4",
            "--interface",
            "asgi",
            "held_app:asgi",
        ],
    ),
    "granian-wsgi": (
        served("granian", 1, interface="wsgi", backpressure=8),
        [
            "granian",
            "--port",
            "PORT",
            "--backpressure",
            "8",
            "--interface",
            "wsgi",
            "held_app:wsgi",
        ],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CAPPED)
def test_a_cap_is_where_its_row_says(name: str) -> None:
    """`best` requests are in flight; those past it wait, and are answered later."""
    path, argv = CAPPED[name]
    limit, processes = narrowest(path), path.hops[0].processes
    best = holds(limit, PLAIN).best
    with serving(argv, processes) as run:
        run.crowd.ask(4 * best + EXCESS)
        run.wait(lambda: run.notes.in_flight() == best, f"{best} are in flight")
        assert len(run.notes.started) == processes
        assert limit.full.act is Act.QUEUES
        assert run.crowd.failed == 0
        run.notes.let_go()
        run.wait(lambda: run.crowd.waiting == 0, "all are answered")
        assert run.crowd.fates == {"200": 4 * best + EXCESS}


@pytest.mark.slow
def test_uvicorn_refuses_past_its_cap() -> None:
    """Coming one by one, three are let in by each of two workers of four; then all get a 503.

    Of a burst fewer are, since connections count before their requests are read.
    """
    path = served("uvicorn", 2, workers=2, limit_concurrency=4)
    limit = narrowest(path)
    best = holds(limit, PLAIN).best
    argv = ["uvicorn", "--port", "PORT", "--workers", "2", "--limit-concurrency", "4"]
    with serving([*argv, "held_app:asgi"], 2) as run:
        asked = 0
        while run.notes.in_flight() < best or asked < 4 * best:
            run.crowd.ask(1)
            asked += 1
            assert asked < 100 * best, f"never {best} in flight"
            run.wait(
                lambda n=asked: run.notes.in_flight() + run.crowd.fates["503"] == n,  # type: ignore[misc]
                "each is in flight or refused",
            )
            assert run.notes.in_flight() <= best
        assert limit.full.act is Act.REFUSES
        assert run.crowd.failed == run.crowd.fates["503"] == asked - best


UNCAPPED = {
    "uvicorn": ["-k", "uvicorn_worker.UvicornWorker", "held_app:asgi"],
    "asgi": ["-k", "asgi", "held_app:asgi"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNCAPPED)
def test_nobody_enforces_worker_connections_under_asgi(name: str) -> None:
    """Forty requests are in flight in two workers of four connections, as the limit without an
    enforcer says."""
    path = served("gunicorn", 2, worker_class=UNCAPPED[name][1], worker_connections=4)
    (ignored,) = (limit for limit, _ in path_walls(path, PLAIN) if not limit.enforcer)
    assert ignored.inputs[0].setting == "worker_connections"
    argv = [*GUNICORN, "--worker-connections", "4", *UNCAPPED[name]]
    with serving(argv, 2) as run:
        run.crowd.ask(40)
        run.wait(lambda: run.notes.in_flight() == 40, "all are in flight")
        assert holds(ignored, PLAIN).best > 40


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sync", "asgi"])
def test_the_backlog_is_what_completing_says(name: str) -> None:
    """Asked for 300 a sync worker listens with 300, and an asgi worker with 100."""
    hop = served("gunicorn", 1, worker_class=name, backlog=300).hops[0]
    app = "held_app:asgi" if name == "asgi" else "held_app:wsgi"
    argv = ["gunicorn", "--no-control-socket", "-b", "127.0.0.1:PORT", "--backlog", "300"]
    with serving([*argv, "-k", name, app], 1) as run:
        said = hop.get("backlog")
        assert said is not None
        run.wait(lambda: PortWitness(run.port).queue().backlog == said.number, f"{said.number:g}")


NOFILE = 64
WITHOUT = {
    "gevent": (
        served("gunicorn", 2, worker_class="gevent", nofile=NOFILE),
        [*GUNICORN, "-k", "gevent", "held_app:wsgi"],
    ),
    "uvicorn worker": (
        served("gunicorn", 2, worker_class="uvicorn_worker.UvicornWorker", nofile=NOFILE),
        [*GUNICORN, "-k", "uvicorn_worker.UvicornWorker", "held_app:asgi"],
    ),
    "asgi": (
        served("gunicorn", 2, worker_class="asgi", nofile=NOFILE),
        [*GUNICORN, "-k", "asgi", "held_app:asgi"],
    ),
    "uvicorn": (
        served("uvicorn", 2, workers=2, nofile=NOFILE),
        ["uvicorn", "--port", "PORT", "--workers", "2", "held_app:asgi"],
    ),
    "uvicorn alone": (
        served("uvicorn", 1, nofile=NOFILE),
        ["uvicorn", "--port", "PORT", "held_app:asgi"],
    ),
    "uvicorn asyncio alone": (
        served("uvicorn", 1, loop="asyncio", nofile=NOFILE),
        ["uvicorn", "--port", "PORT", "--loop", "asyncio", "held_app:asgi"],
    ),
    "uvicorn asyncio": (
        served("uvicorn", 2, workers=2, loop="asyncio", nofile=NOFILE),
        [
            *("uvicorn", "--port", "PORT", "--workers", "2", "--loop", "asyncio"),
            "held_app:asgi",
        ],
    ),
    "hypercorn": (
        served("hypercorn", 2, nofile=NOFILE),
        ["hypercorn", "-b", "127.0.0.1:PORT", "-w", "2", "held_app:asgi"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT)
def test_without_descriptors_the_act_is_the_limits(name: str) -> None:
    """Of 64 descriptors `sure` to `best` hold a request; who comes later waits, or is closed.

    A process alone holds `best`.
    """
    path, argv = WITHOUT[name]
    limit = narrowest(path)
    assert limit.resource == "descriptors"
    predicted = holds(limit, PLAIN)
    asked = predicted.best + 40
    processes = path.hops[0].processes
    with serving(argv, processes, nofile=NOFILE) as run:
        run.crowd.ask(asked)
        waits = limit.full.act is Act.QUEUES
        run.wait(
            lambda: (
                (run.in_queue() if waits else run.crowd.failed) + run.notes.in_flight() == asked
                and (not waits or run.notes.in_flight() == predicted.best)
            ),
            "all are in flight, or wait, or were closed",
        )
        least = predicted.sure if processes > 1 else predicted.best
        assert least <= run.notes.in_flight() <= predicted.best
        assert run.crowd.failed == run.crowd.fates[CLOSED]
        assert bool(run.crowd.failed) is not waits
