"""Measures what the generator's clients take over TLS: bytes, and CPU of handshakes and requests.

    scripts/bench generator_profile

For plain HTTP/1.1, HTTP/1.1 over TLS 1.3 and streams of HTTP/2 over it, one generator process:
1. holds requests at nginx (ECDSA P-256), whose server behind never answers; at each of SIZES its
   private anonymous memory is read (/proc/PID/smaps_rollup). Bytes of a client: the slope of the
   least-squares line; of a connection of HTTP/2, from the same with FEW streams each.
2. CPU seconds from the first connect to the last held request, a connection: beyond the plain
   clients' that is the handshake.
3. CPU seconds of an answered request in a closed loop of CONNECTIONS, with a nonce: how much more
   than a plain one's. The median of ROUNDS interleaved rounds.
Writes bench/results/generator-profile.json.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from _rig import LOAD_CORE, nginx_of, save, wait
from client_memory import memory

from holdfast.load.fleet import Fleet
from holdfast.load.plan import LoadPlan

SIZES = (0, 2_000, 6_000)
SHARED, FEW = 100, 2
AT_ONCE = 100
"""Handshakes under way in one process: of a trial's 256 over all of them (proof.run.WINDOW_LEAST).
What they take meanwhile is not all given back."""
CONNECTIONS = 64
ROUNDS, SECONDS = 5, 1.0
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tls": {"tls": True},
    "h2": {"tls": True, "streams": SHARED},
}
NGINX = """
daemon off; pid {folder}/pid; worker_processes 1; worker_rlimit_nofile 20000;
error_log {folder}/error.log;
events {{ worker_connections 19000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; proxy_read_timeout 1h;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_protocols TLSv1.3; ssl_certificate {pem}; ssl_certificate_key {pem};
  http2_max_concurrent_streams 1000;
  server {{
    listen 127.0.0.1:{port} {how} backlog=16384;
    location / {{ proxy_pass http://127.0.0.1:{behind}; }}
    location /nonce {{ add_header x-holdfast-nonce $http_x_holdfast_nonce; return 200 "hello\\n"; }}
  }}
}}
"""


def certificate(folder: str) -> str:
    """A file of a self-signed certificate and its key."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=trial"
    key, pem = (str(Path(folder) / name) for name in ("key.pem", "all.pem"))
    argv = ["openssl", *words.split(), "-keyout", key, "-out", pem]
    subprocess.run(argv, check=True, capture_output=True)
    with open(pem, "a", encoding="ascii") as file:
        file.write(Path(key).read_text("ascii"))
    return pem


def plan(port: int, clients: int, **changes: Any) -> LoadPlan:
    """So many clients of the port."""
    usual: dict[str, Any] = {"path": "/", "clients": clients, "nonce": "require"}
    host = f"127.0.0.1:{port}"
    return LoadPlan(address="127.0.0.1", port=port, host=host, **(usual | changes))


def let_in(fleet: Fleet, size: int) -> None:
    """Open clients up to `size`, as a trial does: few handshakes are under way at once."""
    step = AT_ONCE * fleet.plan.streams
    for count in (*range(fleet.read().in_flight, size, step), size):
        fleet.allow(count, 0)
        wait(lambda count=count: fleet.read().in_flight == count)  # type: ignore[misc]


def hold(port: int, kind: dict[str, Any]) -> dict[str, Any]:
    """What one process has at each size, all held; and its CPU until then."""
    points, cpu_s = [], 0.0
    with Fleet(plan(port, SIZES[-1], **kind)) as fleet:
        fleet.start()
        before_s = fleet.read().cpu_s[0]
        for size in SIZES:
            let_in(fleet, size)
            points.append({"held": size, **memory(fleet.pids[0])})
        wait(lambda: fleet.read().cpu_s[0] > before_s)
        cpu_s = fleet.read().cpu_s[0] - before_s
        sockets = fleet.read().sockets
    held, sizes = ([point[name] for point in points] for name in ("held", "anonymous"))
    slope = statistics.linear_regression(held, sizes).slope
    return {
        "bytes_a_client": round(slope, 1),
        "base_bytes": points[0]["anonymous"],
        "opening_cpu_s": cpu_s,
        "connections": sockets,
        "points": points,
    }


def ask(port: int, kind: dict[str, Any]) -> float:
    """CPU seconds of an answered request, in a closed loop."""
    with Fleet(plan(port, CONNECTIONS, path="/nonce", **kind)) as fleet:
        fleet.start()
        os.sched_setaffinity(fleet.pids[0], {LOAD_CORE})
        fleet.allow(CONNECTIONS, 0)
        wait(lambda: fleet.read().in_flight == CONNECTIONS)
        before = fleet.read()
        time.sleep(SECONDS)
        after = fleet.read()
    if after.failed:
        raise SystemExit(f"the generator failed: {after.first_error}")
    return (after.cpu_s[0] - before.cpu_s[0]) / (after.answered - before.answered)


@contextmanager
def behind_nginx(kind: dict[str, Any], pem: str) -> Iterator[int]:
    """nginx as the kind needs it, before a server that never answers: its port."""
    argv = [sys.executable, str(Path(__file__).parent / "client_memory.py"), "swallow"]
    with Popen(argv, stdin=PIPE, stdout=PIPE) as server:
        assert server.stdout is not None
        behind = int(server.stdout.readline())
        with nginx_of(NGINX, how="ssl http2" if kind else "", behind=behind, pem=pem) as (port, _):
            yield port
        with suppress(BrokenPipeError):
            server.communicate()


def measure(pem: str) -> dict[str, Any]:
    """All kinds, one after the other."""
    held = {}
    for name, kind in (KINDS | {"h2, two streams": {"tls": True, "streams": FEW}}).items():
        with behind_nginx(kind, pem) as port:
            held[name] = hold(port, kind)
    rounds: dict[str, list[float]] = {name: [] for name in KINDS}
    for _ in range(ROUNDS):
        for name, kind in KINDS.items():
            with behind_nginx(kind, pem) as port:
                rounds[name].append(ask(port, kind))
    return {"held": held, "request_cpu_s": rounds}


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The numbers that the facts take."""
    held, asked = found["held"], found["request_cpu_s"]
    plain_s = held["plain"]["opening_cpu_s"] / SIZES[-1]
    request_s = {name: statistics.median(each) for name, each in asked.items()}
    # N / K connections of K streams: two measurements, two unknowns.
    many, few = (held[name]["bytes_a_client"] for name in ("h2", "h2, two streams"))
    connection = (few - many) / (1 / FEW - 1 / SHARED)
    return {
        "tls_bytes_a_client": held["tls"]["bytes_a_client"],
        "h2_bytes_a_connection": round(connection, 1),
        "h2_bytes_a_stream": round(many - connection / SHARED, 1),
        "base_bytes": {name: each["base_bytes"] for name, each in held.items()},
        "tls_handshake_cpu_s": held["tls"]["opening_cpu_s"] / SIZES[-1] - plain_s,
        "request_cpu_s": request_s,
        "more_than_plain_s": {name: each - request_s["plain"] for name, each in request_s.items()},
    }


def main() -> None:
    """Measure, write, and say what the facts take."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        found = measure(certificate(folder))
    told = summary(found)
    save("generator-profile", {"summary": told, **found})
    for name, value in told.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
