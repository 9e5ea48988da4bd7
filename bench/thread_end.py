"""Measures the kernel's memory for one waiting thread, which no process's own memory shows.

    scripts/bench thread_end

Starts 2,000 threads that wait, as gunicorn's gthread workers have them, and counts before and
after: kernel stacks (/proc/meminfo), page tables of this process, and the objects of each slab
cache, as `socket_end` does. Five times; the median one is written to bench/results/thread-end.json.
Needs root, for /proc/slabinfo.
"""

from __future__ import annotations

import json
import platform
import sys
import threading
from pathlib import Path

from socket_end import RESULTS, ROUNDS, slabs

THREADS = 2_000


def bytes_of(file: str, name: str) -> int:
    """A number of /proc/meminfo or /proc/self/status, in bytes."""
    rows = (line.split() for line in Path(file).read_text().splitlines())
    return next(int(row[1]) * 1_024 for row in rows if row and row[0] == f"{name}:")


def taken() -> tuple[int, int, dict[str, tuple[int, float]]]:
    """Bytes of kernel stacks and of this process's page tables, and the slabs' objects."""
    return bytes_of("/proc/meminfo", "KernelStack"), bytes_of("/proc/self/status", "VmPTE"), slabs()


def measured() -> tuple[int, dict[str, int]]:
    """Start, count, end: what one thread takes of each."""
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(THREADS)]
    stacks, tables, before = taken()
    for thread in threads:
        thread.start()
    stacks_now, tables_now, after = taken()
    over.set()
    for thread in threads:
        thread.join()
    parts = {"kernel stack": stacks_now - stacks, "page tables": tables_now - tables}
    for name, (active, size) in after.items():
        parts[name] = round((active - before.get(name, (0, 0.0))[0]) * size)
    each = {name: round(total / THREADS) for name, total in parts.items()}
    return sum(each.values()), {name: size for name, size in each.items() if size >= 16}


def main() -> int:
    """Measure a few times, and write the median."""
    runs = sorted((measured() for _ in range(ROUNDS)), key=lambda run: run[0])
    size, parts = runs[ROUNDS // 2]
    found = {
        "kernel": platform.release(),
        "threads": THREADS,
        "thread_bytes": size,
        "all_bytes": [each for each, _ in runs],
        "parts": parts,
    }
    (RESULTS / "thread-end.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
