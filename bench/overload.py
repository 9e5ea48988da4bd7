"""Offers three times what an app can do, open loop: what is still answered, and how soon.

    scripts/bench overload [--seconds 60] [ROW ...]

The app (`bench/_slots.py`) has so many slots, each taken for so long, so its capacity is known and
the processor is not the limit. A client without an answer in PATIENCE_S leaves, and its request was
for nothing. For each row: the peak, in a closed loop with a client a slot; then TIMES the capacity.
Ours runs as `holdfast up --wait`, direct and behind both edges; beside it uvicorn, granian and
gunicorn as they are, and uvicorn with the cap that it has. Goodput is answers a second within the
patience; `refused` were told 503 with Retry-After, `failed` were told otherwise or left.
Writes bench/results/overload.json after each row.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _rig import BODY, free_port, save, wait
from _slots import SLOTS, TIME_S

from holdfast.load.counts import FleetSample, FleetTotals
from holdfast.load.fleet import Fleet
from holdfast.load.plan import LoadPlan
from holdfast.stack.limits import raise_nofile

HERE = Path(__file__).parent
CAPACITY = SLOTS / TIME_S
TIMES = 3
WAIT_S, PATIENCE_S = 1.0, 5.0
PEAK_S = 10.0
"""A wave of 100 answers at an edge of it is 5 % of what 10 s make."""
CONNECTIONS = 9_000
"""As many clients as come within the patience, and half as many again."""
UP = [
    *("-m", "holdfast", "up", "_slots:app", "--app-dir", str(HERE), "--port", "{port}"),
    *("--in-flight", str(SLOTS), "--mean-time", f"{TIME_S}s", "--wait", f"{WAIT_S:g}s"),
]
BIND = ("--host", "127.0.0.1", "--port", "{port}")
ROWS = {
    "holdfast": [*UP, "--edge", "none"],
    "holdfast, nginx": [*UP, "--edge", "nginx"],
    "holdfast, HAProxy": [*UP, "--edge", "haproxy"],
    "uvicorn": ["-m", "uvicorn", "_slots:app", *BIND, "--no-access-log"],
    "uvicorn --limit-concurrency": [
        *("-m", "uvicorn", "_slots:app", *BIND, "--no-access-log"),
        *("--limit-concurrency", str(round(CAPACITY * (TIME_S + WAIT_S)))),
    ],
    "granian": ["-m", "granian", "_slots:app", "--interface", "asgi", *BIND, "--no-access-log"],
    "gunicorn": [
        *("-m", "gunicorn", "_slots:app", "-k", "uvicorn_worker.UvicornWorker"),
        *("--bind", "127.0.0.1:{port}"),
    ],
}
"""Arguments of this Python; uvicorn's cap is what is served within the wait."""


@contextmanager
def server(row: str) -> Iterator[int]:
    """The row's server, as its port."""
    port = free_port()
    argv = [sys.executable, *(word.format(port=port) for word in ROWS[row])]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(argv, cwd=HERE, start_new_session=True, **quiet)
    try:
        wait(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, what=row)
        yield port
    finally:
        if ROWS[row][1] == "holdfast":
            process.send_signal(signal.SIGINT)
        else:  # they would first serve all that wait, for whom nobody is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


def plan(port: int, clients: int, **changes: Any) -> LoadPlan:
    """So many impatient clients."""
    usual = {"path": "/", "nonce": "off", "length": len(BODY), "timeout_s": PATIENCE_S}
    host = f"127.0.0.1:{port}"
    return LoadPlan(address="127.0.0.1", port=port, host=host, clients=clients, **(usual | changes))


def peak(port: int) -> float:
    """Answers a second with a client for each slot."""
    with Fleet(plan(port, SLOTS)) as fleet:
        fleet.start()
        fleet.allow(SLOTS, 0)
        wait(lambda: fleet.read().answered > 2 * SLOTS)
        first = next_answer(fleet)
        time.sleep(PEAK_S)
        last = next_answer(fleet)
        fleet.let_go(5.0)
    return (last.answered - first.answered) / (last.at_s - first.at_s)


def next_answer(fleet: Fleet) -> FleetSample:
    """The moment of an answer: all slots are free at once, and answers come in waves."""
    before = fleet.read().answered
    wait(lambda: fleet.read().answered > before)
    return fleet.read()


def overload(port: int, seconds: float) -> tuple[float, FleetTotals]:
    """Answers a second while TIMES the capacity is offered, and all that became of it."""
    with Fleet(plan(port, CONNECTIONS, rate=TIMES * CAPACITY, for_s=seconds)) as fleet:
        fleet.start()
        fleet.allow(SLOTS, 0)
        wait(lambda: fleet.read().connected >= SLOTS)
        start_s = fleet.begin()
        time.sleep(max(start_s + seconds - time.monotonic(), 0))
        answered = fleet.read().answered
        return answered / seconds, fleet.let_go(PATIENCE_S + 1)


def measure(row: str, seconds: float) -> dict[str, Any]:
    """One row."""
    with server(row) as port:
        best = peak(port)
        goodput, totals = overload(port, seconds)
    return {
        "peak": round(best, 1),
        "goodput": round(goodput, 1),
        "share_of_peak": round(goodput / best, 4),
        "response_s_p50": round(totals.response.percentile_s(50), 3),
        "response_s_p99": round(totals.response.percentile_s(99), 3),
        "late_us_p99": round(totals.late.percentile_s(99) * 1e6),
        **{
            name: getattr(totals, name)
            for name in ("intended", "unsent", "answered", "refused", "failed", "unfinished")
        },
        "errors": totals.errors,
    }


def main() -> None:
    """Measure each row, write, and say it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], default=[])
    told = parser.parse_args()
    raise_nofile(CONNECTIONS + 1_000)
    rows: dict[str, Any] = {}
    result = {
        "capacity": CAPACITY,
        "offered": TIMES * CAPACITY,
        "seconds": told.seconds,
        "service_s": TIME_S,
        "wait_s": WAIT_S,
        "patience_s": PATIENCE_S,
        "rows": rows,
    }
    for row in told.rows or ROWS:
        rows[row] = measure(row, told.seconds)
        save("overload", result)
        print(f"{row}: {rows[row]}", flush=True)


if __name__ == "__main__":
    main()
