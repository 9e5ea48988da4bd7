"""Measures the generator's own memory by the connections that it holds, besides the kernel's.

    scripts/bench client_memory

One generator process holds requests on a server that never answers; at each size its private
anonymous memory and its proportional share of all (Linux, /proc/PID/smaps_rollup) are read, sockets
not among them. Bytes a held connection: the slope of the least-squares line. Writes
bench/results/client-memory.json.
"""

from __future__ import annotations

import selectors
import socket
import statistics
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from _rig import save, wait

from holdfast.load.fleet import Fleet
from holdfast.load.plan import LoadPlan

SIZES = (0, 6_000, 18_000)
KINDS = ("Anonymous", "Pss")


def swallow() -> None:
    """Take connections and requests, answer none, until stdin ends; the port goes to stdout."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4_096)
    print(listener.getsockname()[1], flush=True)
    taken = []
    with selectors.DefaultSelector() as selector:
        for source in (listener, sys.stdin):
            selector.register(source, selectors.EVENT_READ)
        while all(key.fileobj is listener for key, _ in selector.select()):
            taken.append(listener.accept()[0])


def memory(pid: int) -> dict[str, int]:
    """A process's memory in bytes, by kind."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    found = {line.split(":")[0]: int(line.split()[1]) * 1_024 for line in lines}
    return {kind.lower(): found[kind] for kind in KINDS}


def hold(port: int) -> list[dict[str, int]]:
    """What one generator process has at each size, all of whose requests are in flight."""
    found = []
    plan = LoadPlan(
        address="127.0.0.1", port=port, host=f"127.0.0.1:{port}", path="/", clients=SIZES[-1]
    )
    with Fleet(plan) as fleet:
        fleet.start()
        for size in SIZES:
            fleet.allow(size, 0)
            wait(lambda size=size: fleet.read().in_flight == size)  # type: ignore[misc]
            found.append({"held": size, **memory(fleet.pids[0])})
    return found


def main() -> None:
    """Hold, read, and fit the line."""
    with Popen([sys.executable, __file__, "swallow"], stdin=PIPE, stdout=PIPE) as server:
        assert server.stdout is not None
        points = hold(int(server.stdout.readline()))
        with suppress(BrokenPipeError):
            server.communicate()
    held = [point["held"] for point in points]
    slopes = {
        kind: round(statistics.linear_regression(held, [point[kind] for point in points]).slope, 1)
        for kind in map(str.lower, KINDS)
    }
    result: dict[str, Any] = {"bytes_a_connection": slopes, "points": points}
    save("client-memory", result)
    print(f"bytes a held connection: {slopes}")


if __name__ == "__main__":
    swallow() if len(sys.argv) > 1 else main()
