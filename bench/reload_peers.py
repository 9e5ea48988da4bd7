"""New code while requests are in flight: ours beside the reloads that other servers have (HUP).

    scripts/bench reload_peers [--held 2000] [--mean 2] [ROW ...]

Each row is the same app with the same number of worker processes behind the same nginx, in the
configuration that we write for it, before the one socket that the server has; ours has a socket a
worker. As many clients as are to be in flight ask again when they are answered. Then the code
changes, the server is told to reload, and the row ends once new code alone answers and each client
has been answered twice more. `lost` did not get their answer, `twice` came to the app again; the
time and the most memory that the server's own processes and nginx had meanwhile. Every server has
as long to finish as it likes, but for `usual` rows: those run as their documentation starts them.
Writes bench/results/reload-peers-HELD.json after each row, and keeps its other rows. A row takes
some 10 mean times.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from _rig import RESULTS, need, save, wait
from tests.full.operated import counted
from tests.helpers import free_port
from tests.stack.driving import marked
from tests.stack.operating import Site, asking
from tests.stack.resets import resident

from holdfast.cli.context import Options, Planned, plan_path
from holdfast.cli.up import stack_config
from holdfast.load.counts import FleetSample
from holdfast.load.fleet import Fleet
from holdfast.load.ramp import Ramp
from holdfast.stack.limits import raise_nofile
from holdfast.stack.process import StackProcess
from holdfast.writers import nginx
from holdfast.writers.site import Site as Place

LEAST_WORKERS: Final = 2
GRACE_S: Final = 150
MARK: Final = "HOLDFAST_BENCH_MARK"
LOOK_S: Final = 0.2
OURS: Final = "holdfast"
WSGI: Final = ("gunicorn gevent", "holdfast gevent")
LATE_MEANS: Final = 40
"""Mean times after which a reload that is not over is given up."""

_GUNICORN = (
    *("-m", "gunicorn", "{app}", "-w", "{workers}", "--bind", "unix:{socket}"),
    *("--backlog", "{backlog}", "--worker-connections", "{held}", "--timeout", "0"),
)
_GRACE = ("--graceful-timeout", str(GRACE_S))
_UVICORN = ("-k", "uvicorn_worker.UvicornWorker")
_QUIET = ("--log-level", "warning")
ROWS: Final[dict[str, tuple[str, ...]]] = {
    OURS: (),
    "holdfast gevent": (),
    "gunicorn uvicorn-worker": (*_GUNICORN, *_UVICORN, *_GRACE, *_QUIET),
    "gunicorn uvicorn-worker, usual": (*_GUNICORN, *_UVICORN, *_QUIET),
    "gunicorn gevent": (*_GUNICORN, "-k", "gevent", *_GRACE, *_QUIET),
    "uvicorn --workers": (
        *("-m", "uvicorn", "{app}", "--workers", "{workers}", "--uds", "{socket}"),
        *("--backlog", "{backlog}", "--no-access-log", *_QUIET),
    ),
    "granian": (
        *("-m", "granian", "{app}", "--interface", "asgi", "--workers", "{workers}"),
        *("--uds", "{socket}", "--backlog", "{backlog}", "--no-access-log", *_QUIET),
        *("--backpressure", "{held}"),
    ),
}
"""Arguments of this Python."""


class Served(NamedTuple):
    """A server that runs: where clients dial, how it is told to reload, and when that is over."""

    port: int
    reload: Callable[[], None]
    is_over: Callable[[], bool]


def plan_of(site: Site, held: int, mean_s: float) -> Planned:
    """What `plan` says of so many behind nginx."""
    told = {"mean_time_s": mean_s, "here": True, "edge": "nginx", "engine": site.engine}
    return plan_path(Options(site.app, site.folder, None, held, **told))


def workers_of(planned: Planned) -> int:
    """As many as the plan says, two at least."""
    return max(LEAST_WORKERS, planned.path.hop("workers").processes)


@contextmanager
def ours(site: Site, planned: Planned) -> Iterator[Served]:
    """Our stack, with as many workers as the others have."""
    config = stack_config(planned, address="127.0.0.1", port=0, grace_s=GRACE_S, env=site.env)
    config = msgspec.structs.replace(config, slots=workers_of(planned), most=0)
    with StackProcess(config) as stack:
        stack.start()
        stack.wait_until_ready(120)

        def is_over() -> bool:
            ends = [event.kind for event in stack.stack_events()]
            return "reloaded" in ends or "not_reloaded" in ends

        yield Served(stack.port, stack.reload, is_over)


@contextmanager
def theirs(site: Site, planned: Planned, argv: tuple[str, ...], folder: Path) -> Iterator[Served]:
    """Another server behind our nginx; its one socket queues as many as ours do together."""
    workers = workers_of(planned)
    queue = workers * int(planned.path.hop("workers").get("backlog").number)  # type: ignore[union-attr]
    words = {"app": site.app, "socket": folder / "s", "workers": workers, "backlog": queue}
    told = [word.format(held=2 * planned.demand.in_flight, **words) for word in argv]
    with ExitStack() as undo:
        server = started([sys.executable, *told], Path(site.folder), undo, **site.env)
        wait(lambda: answers(folder / "s") and len(children(server.pid)) == workers, 60, "a server")
        first = frozenset(children(server.pid))
        port = before(folder, planned, undo)
        yield Served(
            port,
            lambda: server.send_signal(signal.SIGHUP),
            lambda: not first & frozenset(children(server.pid)),
        )


def started(argv: list[str], folder: Path, undo: ExitStack, **env: str) -> subprocess.Popen[bytes]:
    """A server of its own session, ended with all that it has started."""
    process = subprocess.Popen(
        argv, cwd=folder, env=os.environ | env, stdout=subprocess.DEVNULL, start_new_session=True
    )
    undo.callback(process.wait)
    undo.callback(os.killpg, process.pid, signal.SIGKILL)
    return process


def before(folder: Path, planned: Planned, undo: ExitStack) -> int:
    """Our nginx before the server's socket, as its port."""
    port, own = free_port(), folder / "edge"
    own.mkdir()
    place = Place((f"127.0.0.1:{port}",), (str(folder / "s"),))
    for name, text in nginx.render(planned.path.hop("edge"), place).items():
        (own / name).write_text(text)
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    argv = [need("nginx", "nginx-light"), "-p", ".", "-c", "edge/nginx.conf", "-e", "stderr", *user]
    process = subprocess.Popen(argv, cwd=folder)
    undo.callback(process.wait)
    undo.callback(process.terminate)
    wait(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    return port


def answers(path: Path) -> bool:
    """Whether somebody listens on the socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def children(pid: int) -> list[int]:
    """The worker processes that it has started."""
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [each for each in found if is_worker(each)]


def is_worker(pid: int) -> bool:
    """Whether it is there, no zombie, and not what multiprocessing starts for itself."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return (
            state not in "ZX"
            and b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
    except OSError:
        return False


class Watched:
    """The clients of a row, and the most memory that its servers' processes had."""

    def __init__(self, fleet: Fleet, mark: str) -> None:
        self._fleet, self._mark = fleet, mark
        self.peak_bytes = 0

    def until(self, condition: Callable[[FleetSample], bool], ceiling_s: float) -> bool:
        """Look until it is so; False where it has not become so in time."""
        end_s = time.monotonic() + ceiling_s
        while not condition(self._fleet.read()):
            if time.monotonic() > end_s:
                return False
            pids = tuple(marked(self._mark) - set(self._fleet.pids))
            self.peak_bytes = max(self.peak_bytes, taken(pids))
            time.sleep(LOOK_S)
        return True


def taken(pids: tuple[int, ...]) -> int:
    """Bytes that they have to themselves; a process that has just ended has none."""
    found = 0
    for pid in pids:
        try:
            found += resident((pid,))
        except (OSError, IndexError):
            continue
    return found


def measure(row: str, held: int, mean_s: float, folder: Path) -> dict[str, Any]:
    """One row."""
    mark = f"{os.urandom(8).hex()}"
    os.environ[MARK] = mark
    site = Site(folder, "gevent" if row in WSGI else "uvicorn", mean_s)
    planned = plan_of(site, held, mean_s)
    raise_nofile(int(planned.path.hop("workers").get("nofile").number))  # type: ignore[union-attr]
    server = theirs(site, planned, ROWS[row], folder) if ROWS[row] else ours(site, planned)
    # the others' answers carry no nonce: their app has noted it all the same
    told = {"processes": -(-held // 15_000), "nonce": "check" if ROWS[row] else "require"}
    with server as served, Fleet(asking(served.port, held, **told)) as fleet:
        fleet.start()
        watched = Watched(fleet, mark)
        opened(fleet, held, planned.open_rate, mean_s)
        watched.until(lambda sample: False, mean_s)
        steady_bytes, failed_before = watched.peak_bytes, fleet.read().failed
        began_s = time.monotonic()
        site.publish("2")
        served.reload()
        is_over = watched.until(lambda sample: served.is_over(), LATE_MEANS * mean_s)
        took_s = time.monotonic() - began_s
        goal = fleet.read().answered + 2 * held
        watched.until(lambda sample: sample.answered >= goal, LATE_MEANS * mean_s)
        totals = fleet.let_go(LATE_MEANS * mean_s)
    found = counted(site, totals)
    return {
        "held": held,
        "mean_s": mean_s,
        "workers": workers_of(planned),
        "is_over": is_over,
        "took_s": round(took_s, 1),
        "failed_before": failed_before,
        "lost": found["failed"] + found["unfinished"],
        "steady_bytes": steady_bytes,
        "peak_bytes": watched.peak_bytes,
        **found,
    }


def opened(fleet: Fleet, held: int, rate: float, mean_s: float) -> None:
    """Let all clients in, as fast as they are accepted, until each has been answered once."""
    ramp = Ramp(held, rate, round(rate / 10))

    def are_there() -> bool:
        sample = fleet.read()
        fleet.allow(ramp.step(time.monotonic(), sample.connected, sample.opening, None, None), 0)
        return sample.answered >= held

    wait(are_there, 60 + held / rate + 5 * mean_s, "all clients")


def main() -> None:
    """Measure each row, write, and say it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held", type=int, default=2_000)
    parser.add_argument("--mean", type=float, default=2.0)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], default=[])
    given = parser.parse_args()
    name = f"reload-peers-{given.held}"
    target = RESULTS / f"{name}.json"
    rows: dict[str, Any] = json.loads(target.read_text())["rows"] if target.exists() else {}
    for row in given.rows or ROWS:
        with tempfile.TemporaryDirectory(prefix="hf-peers-") as folder:
            rows[row] = measure(row, given.held, given.mean, Path(folder))
        save(name, {"rows": rows})
        print(row, rows[row], flush=True)


if __name__ == "__main__":
    main()
