"""A running stack as whoever asks is told: from what its supervisor holds. Decides nothing."""

from __future__ import annotations

import os
import time

from holdfast.stack.config import StackConfig
from holdfast.stack.listen import Listening
from holdfast.stack.orders import Running, WorkerSeen
from holdfast.stack.run_dir import RunDir
from holdfast.stack.workers import Workers


def running(
    config: StackConfig,
    workers: Workers,
    *,
    port: Listening | None,
    scheme: str,
    edge_pids: tuple[int, ...],
    run_dir: RunDir,
    doing: str,
    for_s: float,
) -> Running:
    """What runs now: `doing` for so long."""
    wanted = workers.wanted
    return Running(
        address="" if port is None else port.address,
        port=0 if port is None else port.port,
        scheme=scheme,
        app=config.app,
        engine=config.engine,
        edge="" if config.edge is None else config.edge.hop.program,
        supervisor_pid=os.getpid(),
        edge_pids=edge_pids,
        run_dir=run_dir.path,
        gauge=run_dir.gauge,
        doing=doing,
        for_s=for_s,
        slots=wanted,
        most=config.most_slots,
        most_why=config.most_why,
        drains=config.drains or config.most_slots,
        in_flight=workers.gauge.in_flight(),
        sure=config.sure[wanted - 1] if 0 < wanted <= len(config.sure) else 0,
        bounds=config.bounds,
        grace_s=config.grace_s,
        workers=_seen(workers, time.monotonic()),
    )


def _seen(workers: Workers, now_s: float) -> tuple[WorkerSeen, ...]:
    """Each worker that runs or is waited for, by slot; of one slot the newest one first."""
    found = [
        WorkerSeen(
            slot.index,
            slot.generation,
            0 if worker is None else worker.pid,
            slot.state.value,
            for_s=now_s - slot.since_s,
            age_s=0.0 if worker is None else now_s - worker.born_s,
            is_former=is_former,
            why=why,
        )
        for slot, worker, is_former, why in workers.states()
    ]
    return tuple(sorted(found, key=lambda worker: (worker.slot, worker.is_former)))
