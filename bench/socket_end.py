"""Measures the kernel's memory for one end of an idle TCP connection that epoll watches.

    scripts/bench socket_end

Opens 4,000 loopback connections and counts the objects of each slab cache before and after, times
the share of its pages that one object takes: memory that was free in a slab before is counted too,
which a difference of the machine's used memory would miss. Needs root, for /proc/slabinfo.
"""

from __future__ import annotations

import json
import platform
import resource
import select
import socket
from pathlib import Path

PAIRS = 4_000
PAGE_BYTES = resource.getpagesize()
TARGET = Path(__file__).parent / "results" / "socket-end.json"


def slabs() -> dict[str, tuple[int, float]]:
    """Active objects of each cache, and the bytes of pages that one takes."""
    found = {}
    for line in Path("/proc/slabinfo").read_text().splitlines()[2:]:
        name, active, _, _, per_slab, pages, *_ = line.split()
        found[name] = int(active), int(pages) * PAGE_BYTES / int(per_slab)
    return found


def main() -> None:
    """Open, count, write."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = socket.create_server(("127.0.0.1", 0), backlog=4_096)
    poll = select.epoll()
    ends: list[socket.socket] = []

    def open_pairs(count: int) -> None:
        for _ in range(count):
            near = socket.create_connection(listener.getsockname())
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
    total = sum(cache["objects"] * cache["bytes_each"] for cache in caches.values())
    result = {
        "kernel": platform.release(),
        "pairs": PAIRS,
        "socket_end_bytes": round(total / (2 * PAIRS)),
        "caches": caches,
    }
    TARGET.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
