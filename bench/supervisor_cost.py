"""Measures what a supervisor of 16 workers takes for itself: processor, wake-ups and memory.

    scripts/bench supervisor_cost

It looks after all of them (age, requests, memory, answers) and after their number, once a second.
With nothing to do, and beside a generator in a closed loop; processor as the scheduler counts it
(schedstat). Writes bench/results/supervisor-cost.json.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _rig import busy_s, closed, save
from tests.stack.driving import APPS

from holdfast.model.care import Care
from holdfast.model.scale import Scale
from holdfast.observe.process import read_memory
from holdfast.stack.config import StackConfig
from holdfast.stack.process import StackProcess

WORKERS = 16
SECONDS = 60.0
CONNECTIONS = 64
CARE = Care(max_age=86_400.0, max_requests=10**9, memory=2**30)
SCALE = Scale(most=WORKERS, fewest=WORKERS)
MOST_SHARE, MOST_BYTES = 0.01, 60 * 10**6
"""What it may take: 1 % of a core, and 60 MB."""


def wakes(pid: int) -> int:
    """How often a process has gone to sleep by itself."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith("voluntary_ctxt_switches"))
    return int(found.split()[1])


def measured(pid: int, meanwhile: Callable[[], object]) -> dict[str, Any]:
    """What it took while something else was done, and its memory after it."""
    begun_s, cpu_s, woken = time.monotonic(), busy_s([pid]), wakes(pid)
    meanwhile()
    took_s = time.monotonic() - begun_s
    return {
        "seconds": took_s,
        "share_of_a_core": (busy_s([pid]) - cpu_s) / took_s,
        "wakes_per_s": (wakes(pid) - woken) / took_s,
        "memory_bytes": read_memory(pid),
    }


def main() -> None:
    """Measure, write, and say what it took."""
    config = StackConfig(
        "growing:app",
        str(APPS),
        slots=WORKERS,
        in_flight=1_000 * WORKERS,
        care=CARE,
        scale=SCALE,
    )
    with StackProcess(config) as stack:
        stack.start()
        stack.wait_until_ready(120)
        pid = stack.supervisor_pid
        found = {
            "idle": measured(pid, lambda: time.sleep(SECONDS)),
            "loaded": measured(pid, lambda: closed(stack.port, CONNECTIONS, SECONDS, length=None)),
        }
        replaced = [event.kind for event in stack.events()].count("outdated")
    save("supervisor-cost", {"workers": WORKERS, "replaced": replaced, **found})
    for name, row in found.items():
        share, bytes_taken = row["share_of_a_core"], row["memory_bytes"]
        print(f"{name}: {share:.2%} of a core, {row['wakes_per_s']:.1f} wakes/s, {bytes_taken:,} B")
        if share > MOST_SHARE or bytes_taken > MOST_BYTES:
            raise SystemExit(f"error: {name}: more than {MOST_SHARE:.0%} or {MOST_BYTES:,} B")


if __name__ == "__main__":
    main()
