"""What who starts a whole stack has to grant it: descriptors, and processes with their threads.

From a sized path, and how many workers may run at once. No I/O.
"""

from __future__ import annotations

from holdfast.model.path import Hop, Path
from holdfast.model.values import Value, derived
from holdfast.sizing.path import SPARE_PIDS

SUPERVISOR_FILES = 64
"""An interpreter's own, the port's, the control socket with those who give orders, signals."""
WORKER_FILES = 8
"""What a supervisor has open of each worker: its sockets, its process, its probe, its log."""
ANYIO_THREADS = 40
"""anyio.to_thread: `RunVar` of a CapacityLimiter of 40; Starlette runs plain functions there."""
NGINX_OTHERS = 3
"""nginx's master, and the two that keep its cache: src/os/unix/ngx_process_cycle.c."""
_FILES = ("nofile", "worker_rlimit_nofile", "ulimit_n")


def files(path: Path, workers: int) -> Value:
    """The descriptors of the process that needs most, of edge, workers and their supervisor."""
    own = SUPERVISOR_FILES + WORKER_FILES * workers
    found = [derived("nofile", own, f"{workers} workers x {WORKER_FILES} + {SUPERVISOR_FILES}")]
    for hop in path.hops:
        if hop.name in {"edge", "workers"}:
            said = (hop.get(setting) for setting in _FILES)
            found += [
                derived("nofile", int(value.number), f"a process of {hop.name}: {value.why}")
                for value in said
                if value is not None and value.value is not None
            ]
    return max(found, key=lambda value: value.number)


def tasks(path: Path, workers: int) -> Value:
    """All processes with their threads, so many workers at once; threads of the app are assumed.

    asyncio's own pool has min(32, cores + 4) threads (`concurrent.futures.ThreadPoolExecutor`).
    """
    total, parts = SPARE_PIDS, []
    for hop in path.hops:
        if hop.name == "workers":
            pool = min(32, int(path.host(hop.host).cores) + 4)
            each = _threads(hop) + ANYIO_THREADS + pool
            total += workers * each
            parts.append(f"{workers} workers x {each} threads ({ANYIO_THREADS} + {pool} assumed)")
        elif hop.name == "edge":
            count = hop.processes * _threads(hop) + NGINX_OTHERS * (hop.program == "nginx")
            total += count
            parts.append(f"{count} of {hop.program}")
    return derived("pids_max", total, " + ".join((*parts, f"{SPARE_PIDS} to spare")))


def _threads(hop: Hop) -> int:
    said = (hop.get(setting) for setting in ("threads", "nbthread"))
    return max((int(value.number) for value in said if value is not None), default=1)
