"""Measures the kernel's memory for one end of an idle connection that epoll watches: TCP, unix.

    scripts/bench socket_end [tcp|unix ...]

Opens 4,000 connections of a kind and counts the objects of each slab cache before and after, times
the share of its pages that one object takes: memory that was free in a slab before is counted too,
which a difference of the machine's used memory would miss. Other programs' objects are counted
too, so it is done five times and the median one is written. Needs root, for /proc/slabinfo.
"""

from __future__ import annotations

import json
import platform
import resource
import select
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PAIRS = 4_000
PAGE_BYTES = resource.getpagesize()
KINDS = {"tcp": "socket", "unix": "unix"}
ROUNDS = 5
RESULTS = Path(__file__).parent / "results"


def slabs() -> dict[str, tuple[int, float]]:
    """Active objects of each cache, and the bytes of pages that one takes."""
    found = {}
    for line in Path("/proc/slabinfo").read_text().splitlines()[2:]:
        name, active, _, _, per_slab, pages, *_ = line.split()
        found[name] = int(active), int(pages) * PAGE_BYTES / int(per_slab)
    return found


def listening(kind: str, folder: str) -> socket.socket:
    """A listener of that kind."""
    if kind == "tcp":
        return socket.create_server(("127.0.0.1", 0), backlog=4_096)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/listener.sock")
    listener.listen(4_096)
    return listener


def measured(kind: str) -> tuple[int, dict[str, object]]:
    """Open, count, close: what one end of a connection takes of each cache."""
    poll = select.epoll()
    ends: list[socket.socket] = []
    with TemporaryDirectory() as folder, listening(kind, folder) as listener:

        def open_pairs(count: int) -> None:
            for _ in range(count):
                near = socket.socket(listener.family)
                near.connect(listener.getsockname())
                far = listener.accept()[0]
                for end in (near, far):
                    poll.register(end.fileno(), select.EPOLLIN)
                    ends.append(end)

        open_pairs(200)  # what the first ones need only once is not counted
        before = slabs()
        open_pairs(PAIRS)
        after = slabs()
    caches = {
        name: {"objects": active - before[name][0], "bytes_each": each}
        for name, (active, each) in after.items()
        if active - before[name][0] >= PAIRS / 10
    }
    for end in ends:
        end.close()
    total = sum(cache["objects"] * cache["bytes_each"] for cache in caches.values())
    return round(total / (2 * PAIRS)), caches


def main() -> None:
    """Measure the kinds named on the command line, or both, and write each."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for kind in sys.argv[1:] or KINDS:
        rounds = sorted((measured(kind) for _ in range(ROUNDS)), key=lambda found: found[0])
        size, caches = rounds[ROUNDS // 2]
        result = {
            "kernel": platform.release(),
            "pairs": PAIRS,
            f"{KINDS[kind]}_end_bytes": size,
            "rounds": [found[0] for found in rounds],
            "caches": caches,
        }
        target = RESULTS / f"{KINDS[kind]}-end.json"
        target.write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
