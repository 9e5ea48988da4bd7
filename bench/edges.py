"""Measures what an edge costs a request: our nginx, our HAProxy, the guides' nginx, and none.

    scripts/bench edges

One uvicorn worker, the same for all, answers at once: the shop's `/`, and the plain ASGI app. Ours
are sized for IN_FLIGHT and dial the worker's unix socket; the guides' nginx dials its TCP port, as
direct clients do. Server and edge share one core, the generator has the other: a closed loop over
CONNECTIONS keep-alive connections. Interleaved rounds, whose order alternates. CPU is what the
scheduler counted for all threads of the edge's processes, and of the worker, kernel time of theirs
included; the generator's is not. Writes bench/results/edges.json after each round.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from _rig import SERVER_CORE, busy_s, closed, nginx_of, per_cpu, save

from holdfast.cli.context import Options, plan_path
from holdfast.cli.up import stack_config
from holdfast.stack.process import StackProcess

REPOSITORY = Path(__file__).parent.parent
ROUNDS = 9
SECONDS = 1.5
CONNECTIONS = 64
IN_FLIGHT = 1_000
APPS = {"shop": "/", "wait": "/health"}
OURS = {"direct": "none", "nginx": "nginx", "haproxy": "haproxy"}
GUIDES = """
# What the OVH guide sets, its upstream by TCP and, as nginx's default is, by HTTP/1.0; the other
# guides keep no connection to their upstream either. What it leaves alone is Debian's nginx.conf.
daemon off; pid {folder}/pid; error_log {folder}/error.log;
worker_processes auto;
events {{ worker_connections 768; }}
http {{
  sendfile on; tcp_nopush on; types_hash_max_size 2048; gzip on;
  access_log {log};
  upstream app {{ server 127.0.0.1:{upstream}; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://app;
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffering on; proxy_buffers 8 16k; proxy_buffer_size 32k;
      proxy_connect_timeout 75s; proxy_send_timeout 75s; proxy_read_timeout 75s;
    }}
  }}
}}
"""
LOGS = {"guides": "{folder}/access.log", "guides_no_log": "off"}
"""Debian logs each request, ours do not: so that it can be told what the log takes of it."""

Server = tuple[int, dict[str, tuple[int, ...]]]
"""The port that clients dial, and the processes of the edge and of the workers."""


@contextmanager
def stack(app: str, edge: str) -> Iterator[Server]:
    """A worker behind the edge, as `holdfast up` runs it."""
    folder = str(REPOSITORY / "examples" / app)
    options = Options(f"{app}:app", folder, None, IN_FLIGHT, mean_time_s=1.0, edge=edge)
    planned = plan_path(options)  # of the whole machine: before the stack is bound to one core
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    config = stack_config(planned, address="127.0.0.1", port=0, grace_s=10.0)
    with StackProcess(config) as process:
        process.start()
        process.wait_until_ready(60)
        os.sched_setaffinity(0, everywhere)
        workers = tuple(worker.pid for worker in process.workers())
        yield process.port, {"edge": process.edge_pids(), "workers": workers}


@contextmanager
def guides(direct: Server, log: str) -> Iterator[Server]:
    """The guides' nginx before the worker that direct clients dial."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    with nginx_of(GUIDES.replace("{log}", log), upstream=direct[0]) as (port, pids):
        os.sched_setaffinity(0, everywhere)
        yield port, {"edge": pids, "workers": direct[1]["workers"]}


def measure(server: Server, path: str) -> dict[str, Any]:
    """One run of the load: its requests by CPU second of the edge, the worker, and both."""
    port, groups = server
    before = {name: busy_s(pids) for name, pids in groups.items()}
    made = closed(port, CONNECTIONS, SECONDS, path=path, length=None)
    used = {name: busy_s(pids) - before[name] for name, pids in groups.items()}
    used["path"] = sum(used.values())
    requests = made["requests"]
    found: dict[str, Any] = {"requests": requests, "generator": made}
    return found | {name: per_cpu(requests, cpu_s) for name, cpu_s in used.items() if cpu_s}


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each way's requests by CPU second, and of what is said over the guides'."""
    found: dict[str, Any] = {}
    for kind in rounds[0]:
        for group in ("edge", "workers", "path"):
            if group in rounds[0][kind]:
                each = [one[kind][group]["per_cpu_s"] for one in rounds]
                found.setdefault(kind, {})[group] = round(statistics.median(each))
    for beside in LOGS:
        for kind in OURS:
            for group in ("edge", "path"):
                if group in rounds[0][kind]:
                    over = [
                        one[kind][group]["per_cpu_s"] / one[beside][group]["per_cpu_s"]
                        for one in rounds
                    ]
                    name = f"{group}_over_{beside}"
                    found[kind][name] = round(statistics.median(over), 3)
    return found


def main() -> None:
    """Measure, write, and say the medians."""
    result: dict[str, Any] = {"connections": CONNECTIONS, "medians": {}, "rounds": {}}
    with ExitStack() as cleanup:
        servers: dict[str, dict[str, Server]] = {}
        for app in APPS:
            mine = servers[app] = {
                kind: cleanup.enter_context(stack(app, edge)) for kind, edge in OURS.items()
            }
            for kind, log in LOGS.items():
                mine[kind] = cleanup.enter_context(guides(mine["direct"], log))
        for number in range(ROUNDS):
            for app, path in APPS.items():
                rounds = result["rounds"].setdefault(app, [])
                order = sorted(servers[app], reverse=bool(number % 2))
                rounds.append({kind: measure(servers[app][kind], path) for kind in order})
                result["medians"][app] = medians(rounds)
            save("edges", result)
    for app, found in result["medians"].items():
        for kind, numbers in found.items():
            print(f"{app} {kind}: {numbers}")


if __name__ == "__main__":
    main()
