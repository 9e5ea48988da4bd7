"""Measures coordinated omission: a server that stops for 1 s in every 10, and who notices.

    scripts/bench omission

nginx's worker is stopped and continued by signals. The generator sends at a constant rate; what its
percentiles must be follows from when requests were due and when the worker was stopped: a request
that is due in a stop is answered at its end, any other at once. wrk runs the same time beside the
same stops, as it is. Writes bench/results/omission.json.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from _rig import nginx, open_loop, save, wrk

RATE = 200
SECONDS = 40.0
EVERY_S, STOP_S = 10.0, 1.0
CONNECTIONS = 400
PERCENTS = (92.0, 95.0, 99.0, 99.9)
"""A tenth of the requests meet a stop; those of the rest are answered at once."""


class Stops(threading.Thread):
    """Stops a process for STOP_S in every EVERY_S, and keeps the times, until told to end."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid, self._ended = pid, threading.Event()
        self.seen: list[tuple[float, float]] = []

    def run(self) -> None:
        while not self._ended.wait(EVERY_S - STOP_S):
            os.kill(self._pid, signal.SIGSTOP)
            begun_s = time.monotonic()
            time.sleep(STOP_S)
            os.kill(self._pid, signal.SIGCONT)
            self.seen.append((begun_s, time.monotonic()))

    def end(self) -> None:
        """Stop nothing any more."""
        self._ended.set()
        self.join()


def expected(start_s: float, stops: list[tuple[float, float]]) -> list[float]:
    """The response time of each request, in order of length."""
    found = []
    for turn in range(round(RATE * SECONDS)):
        due_s = start_s + turn / RATE
        found.append(max((end - due_s for begun, end in stops if begun <= due_s < end), default=0))
    return sorted(found)


def main() -> None:
    """Measure both, compare, write."""
    with nginx() as (port, worker):
        stops = Stops(worker)
        stops.start()
        totals, start_s, _ = open_loop(port, RATE, CONNECTIONS, SECONDS)
        stops.end()
        times = expected(start_s, stops.seen)
        again = Stops(worker)
        again.start()
        beside = wrk(port, 10, SECONDS)
        again.end()
    rows: dict[str, Any] = {}
    for percent in PERCENTS:
        exact_s = times[max(round(percent / 100 * len(times)) - 1, 0)]
        seen_s = totals.response.percentile_s(percent)
        rows[f"p{percent:g}"] = {
            "analytic_s": exact_s,
            "holdfast_s": seen_s,
            "off": seen_s / exact_s - 1,
        }
    result = {
        "rate": RATE,
        "seconds": SECONDS,
        "stops": stops.seen,
        "percentiles": rows,
        "wrk_10_connections": beside["wrk_says"],
        "answered": totals.answered,
        "unsent": totals.unsent,
    }
    save("omission", result)
    for name, row in rows.items():
        print(f"{name}: {row}")
    print(f"wrk says {beside['wrk_says']}")


if __name__ == "__main__":
    main()
