"""What benches share: nginx and wrk as they are installed, the generator, and results in a file.

Measures requests per CPU second of whoever makes the load; judges nothing.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast import __version__
from holdfast.load.counts import FleetTotals
from holdfast.load.fleet import Fleet
from holdfast.load.plan import LoadPlan
from holdfast.observe.host import read_host
from holdfast.stack.edge_process import children

RESULTS = Path(__file__).parent / "results"
BODY = "hello\n"
SERVER_CORE, LOAD_CORE = 0, 1
"""The server has one core and the load the other, whoever makes it, unless a bench says more."""
EVERY_CORE = frozenset(os.sched_getaffinity(0))
NGINX = """
daemon off; pid {folder}/pid; worker_processes 1; worker_rlimit_nofile 20000;
error_log {folder}/error.log; worker_cpu_affinity 1;
events {{ worker_connections 19000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} backlog=16384;
    location / {{ return 200 "hello\\n"; }}
    location /nonce {{ add_header x-holdfast-nonce $http_x_holdfast_nonce; return 200 "hello\\n"; }}
  }}
}}
"""


def free_port() -> int:
    """A TCP port that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need(program: str, package: str) -> str:
    """Where a program is; ends the bench with a hint where it is not installed."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise SystemExit(f"error: no `{program}`\nhint: install Debian's package {package}")
    return found


@contextmanager
def nginx() -> Iterator[tuple[int, int]]:
    """nginx with one worker, as (its port, the worker's process id)."""
    with nginx_of(NGINX) as (port, pids):
        yield port, pids[1]


@contextmanager
def nginx_of(text: str, **words: object) -> Iterator[tuple[int, tuple[int, ...]]]:
    """nginx as a text configures it, as (its port, its master's process id and its workers')."""
    program, port = need("nginx", "nginx-light"), free_port()
    with tempfile.TemporaryDirectory(prefix="holdfast-nginx-") as folder:
        Path(folder).chmod(0o755)
        config = Path(folder) / "nginx.conf"
        config.write_text(text.format(folder=folder, port=port, **words))
        process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            wait(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            yield port, (process.pid, *children(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def wrk(
    port: int,
    connections: int,
    seconds: float,
    path: str = "/",
    cores: Collection[int] = (LOAD_CORE,),
) -> dict[str, Any]:
    """What wrk did with one thread: requests, its own CPU seconds, and the times that it saw."""
    url = f"http://127.0.0.1:{port}{path}"
    argv = [
        "taskset",
        "-c",
        ",".join(map(str, cores)),
        need("wrk", "wrk"),
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "--latency",
        url,
    ]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    requests = re.search(r"(\d+) requests in ([\d.]+)(\w+),", text)
    if process.returncode or requests is None or "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"wrk failed: {text}")
    times = dict(re.findall(r"^ +(\d+)%\s+(\S+)$", text, re.MULTILINE))
    return per_cpu(int(requests[1]), used.ru_utime + used.ru_stime) | {"wrk_says": times}


def load_plan(port: int, connections: int, **changes: Any) -> LoadPlan:
    """So many connections to the bench's server, status and length checked, no nonce asked for."""
    usual: dict[str, Any] = {"path": "/", "nonce": "off", "length": len(BODY)}
    host = f"127.0.0.1:{port}"
    return LoadPlan(
        address="127.0.0.1", port=port, host=host, clients=connections, **(usual | changes)
    )


def closed(port: int, connections: int, seconds: float, **changes: object) -> dict[str, Any]:
    """What one generator process did meanwhile, in a closed loop."""
    with Fleet(load_plan(port, connections, **changes)) as fleet:
        fleet.start()
        os.sched_setaffinity(fleet.pids[0], {LOAD_CORE})
        fleet.allow(connections, 0)
        time.sleep(seconds)
        totals = fleet.let_go(5.0)
    if totals.failed or totals.unfinished:
        raise SystemExit(f"the generator failed: {totals.first_error}")
    return per_cpu(totals.answered, totals.cpu_s[0])


def about() -> dict[str, Any]:
    """When a bench ran, on which machine, with which versions."""
    host = read_host()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {value.setting: finite(value.value) for value in host.values}
        | {"cores": host.cores, "memory_bytes": host.memory_bytes},
        "versions": {
            "holdfast": __version__,
            "python": platform.python_version(),
            "wrk": version("wrk"),
            "nginx": version("nginx-light"),
            "haproxy": version("haproxy"),
        },
    }


def save(name: str, result: dict[str, Any]) -> None:
    """Write a bench's result so far, with the machine and the versions."""
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{name}.json"
    target.write_text(json.dumps(about() | result, indent=1) + "\n")


@contextmanager
def busy_core() -> Iterator[None]:
    """One core busy meanwhile."""
    argv = ["taskset", "-c", "0", sys.executable, "-c", "while True: pass"]
    process = subprocess.Popen(argv)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def finite(value: object) -> object:
    """The value, or None for no limit: JSON knows no infinity."""
    return None if value == math.inf else value


def version(package: str) -> str:
    """The version of a Debian package, or nothing where it is not installed."""
    argv = [
        "dpkg-query",
        "-W",
        "-f",
        "${Version}",
        f"{package}-light" if package == "nginx" else package,
    ]
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def per_cpu(requests: int, cpu_s: float) -> dict[str, Any]:
    """Requests, CPU seconds, and their quotient."""
    return {"requests": requests, "cpu_s": cpu_s, "per_cpu_s": requests / cpu_s}


def wait(
    condition: Callable[[], bool], ceiling_s: float = 30.0, what: str = "the server to start"
) -> None:
    """Until it is true; ends the bench where it does not become so."""
    end_s = time.monotonic() + ceiling_s
    while not condition():
        if time.monotonic() > end_s:
            raise SystemExit(f"error: waited {ceiling_s:g} s for {what}")
        time.sleep(0.01)


def paced(
    port: int, rate: float, connections: int, seconds: float, **changes: Any
) -> dict[str, Any]:
    """What one generator process did by rate: its requests, CPU, and lag."""
    totals, _, waited_s = open_loop(port, rate, connections, seconds, **changes)
    return per_cpu(totals.answered, totals.cpu_s[0]) | {
        "rate": rate,
        "unsent": totals.unsent,
        "waited_s": waited_s,
        "late_us_p50": totals.late.percentile_s(50) * 1e6,
        "late_us_p99": totals.late.percentile_s(99) * 1e6,
        "response_us_p50": totals.response.percentile_s(50) * 1e6,
        "response_us_p99": totals.response.percentile_s(99) * 1e6,
    }


def open_loop(
    port: int, rate: float, connections: int, seconds: float, **changes: Any
) -> tuple[FleetTotals, float, float]:
    """A run by rate of one generator process, and when its first request was due (monotonic).

    And for how long, from then on, the process was ready to run and waited for its core.
    """
    plan = load_plan(port, connections, rate=rate, for_s=seconds, **changes)
    with Fleet(plan) as fleet:
        fleet.start()
        os.sched_setaffinity(fleet.pids[0], {LOAD_CORE})
        fleet.allow(connections, 0)
        wait(lambda: fleet.read().connected == connections)
        start_s = fleet.begin()
        waited_s = -scheduled_s(fleet.pids[0])[1]
        time.sleep(max(start_s + seconds - time.monotonic(), 0))
        waited_s += scheduled_s(fleet.pids[0])[1]
        totals = fleet.let_go(5.0)
    if totals.failed or totals.unfinished:
        raise SystemExit(f"the generator failed: {totals.first_error}")
    return totals, start_s, waited_s


def scheduled_s(pid: int) -> tuple[float, float]:
    """Seconds that a process's first thread ran, and that it waited for a core (schedstat)."""
    ran_ns, waited_ns, _ = map(int, Path(f"/proc/{pid}/schedstat").read_text().split())
    return ran_ns / 1e9, waited_ns / 1e9


def busy_s(pids: Iterable[int]) -> float:
    """Seconds that all threads of the processes ran, as the scheduler counts (schedstat)."""
    threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9
