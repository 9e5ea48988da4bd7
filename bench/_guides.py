"""Runs the five guides' configurations in full, each with the servers that it sets, here.

The texts of the edges are those of `tests/audited/guides.py`: plain sockets, ports and folders of
their own. What a guide says of its servers is added to them: their number, their class, their logs.
Three hosts are three sets of servers on this one.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from _rig import busy_s, wait
from tests.audited.commands import HARD, starts
from tests.audited.files import Written
from tests.audited.guides import GUIDES, Guide, placed
from tests.audited.running import EDGES
from tests.law3.running import NOBODY

from holdfast.cli.services import family
from holdfast.wire import Interface

APPS: dict[Interface, str] = {
    "ASGI": "wait:app",
    "WSGI": "wait_wsgi:app",
    "Tornado": "wait_tornado:app",
}
WAIT = Path(__file__).parent.parent / "examples" / "wait"
LOGS = "loglevel = 'info'\naccesslog = '-'\nerrorlog = '-'\n"
UVICORNS = "gunicorn -w 4 -k uvicorn.workers.UvicornWorker --log-level info held_app:asgi"
TORNADO = Path(__file__).with_name("_tornado.py")
_THREE = "".join(f"h{n}: {UVICORNS} -b 127.0.0.1:@host{n}@\n" for n in (1, 2, 3))
_FIVE = "".join(f"a{n}: {sys.executable} {TORNADO} @app{n}@\n" for n in range(71, 76))
START_S = 120.0
"""One guide starts a hundred servers."""
QUIET_SHARE, LOOK_S = 0.05, 0.5
"""A guide's processes have started once they take this part of a core, over such a time."""


def _logged(name: str, server: str) -> Guide:
    """A guide with gunicorn's file as it sets it, its logs too."""
    texts = GUIDES[name].texts | {"gunicorn.conf.py.txt": (server,)}
    return GUIDES[name]._replace(texts=texts)


FULL: dict[str, tuple[Interface, Guide]] = {
    "digitalocean": ("WSGI", _logged("digitalocean", "gunicorn-digitalocean.txt")),
    "ovh": ("WSGI", _logged("ovh", "gunicorn-ovh.txt")),
    "linode": ("ASGI", GUIDES["linode"]._replace(added={"Procfile": _THREE})),
    "linode_haproxy": ("ASGI", GUIDES["linode_haproxy"]._replace(added={"Procfile": _THREE})),
    "aws": ("ASGI", GUIDES["aws"]),
    "tornado": ("Tornado", GUIDES["tornado"]._replace(added={"Procfile": _FIVE})),
}


@contextmanager
def guide(
    name: str, app: str = "", env: dict[str, str] | None = None
) -> Iterator[tuple[int, dict[str, tuple[int, ...]]]]:
    """A guide that runs with an app, the waiting one of its interface where none is named.

    As (the port that clients dial, the processes of its edge and of its servers).
    """
    interface, full = FULL[name]
    with placed(name, full) as files, ExitStack() as own:
        _changed(files, app or APPS[interface])
        files.run.mkdir()
        if os.geteuid() == 0:
            os.chown(files.run, 65534, 65534)
        started: dict[str, list[int]] = {"edge": [], "workers": []}
        port = int(files.front.rpartition(":")[2])
        for start in starts(files.folder, files.run, HARD):
            kind = "edge" if start.program in EDGES else "workers"
            if kind == "edge":
                wait(lambda: all(map(_listens, files.servers)))
            started[kind].append(_start(start.argv, kind, files, env or {}, own))
        wait(lambda: _answers(port), START_S)
        wait(lambda: _is_quiet(_families(started["workers"])), START_S)
        yield port, {kind: _families(pids) for kind, pids in started.items() if pids}


def _families(pids: list[int]) -> tuple[int, ...]:
    return tuple(each for pid in pids for each in family(pid))


def _changed(files: Written, app: str) -> None:
    """Name the app, and the path where it says that it is well; add gunicorn's logs."""
    for file in files.folder.rglob("*"):
        if file.is_file():
            text = re.sub(r"held_app:\w+", app, file.read_text()).replace("/alive", "/health")
            file.write_text(text + (LOGS if file.name == "gunicorn.conf.py" else ""))


def _start(argv: list[str], kind: str, files: Written, env: dict[str, str], own: ExitStack) -> int:
    if os.geteuid() == 0 and kind == "edge":
        argv = [*NOBODY, *argv]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    process = subprocess.Popen(
        ["prlimit", f"--nofile={HARD}", *argv],
        cwd=files.folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(WAIT), "HOME": str(files.run)} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def stop() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    own.callback(stop)
    return process.pid


def _listens(place: str) -> bool:
    port = int(place.rpartition(":")[2])
    done = subprocess.run(shlex.split(f"ss -Hltn sport = :{port}"), capture_output=True, check=True)
    return bool(done.stdout)


def _answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
        return bool(answer.status == 200)
    return False


def _is_quiet(pids: tuple[int, ...]) -> bool:
    with suppress(OSError):
        before = busy_s(pids)
        time.sleep(LOOK_S)
        return busy_s(pids) - before < QUIET_SHARE * LOOK_S
    return False
