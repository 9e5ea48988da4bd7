"""`holdfast status`: what a running stack does, how full each hop is, and each worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import click
import msgspec

from holdfast.cli import say
from holdfast.cli.options import json_option
from holdfast.cli.running import find_running, stack_argument
from holdfast.model.errors import BadInput
from holdfast.model.units import format_bytes, format_count, format_seconds, plural
from holdfast.observe.process import read_memory
from holdfast.stack.edge_process import children
from holdfast.stack.orders import Running, WorkerSeen
from holdfast.wire import Gauge, Row


class Used(NamedTuple):
    """How much of what a hop holds is used, in requests or bytes; `most` 0: nobody knows."""

    hop: str
    resource: str
    used: int
    most: int


class Worker(NamedTuple):
    """A worker as the supervisor has it, and as the gauge and the kernel have it."""

    seen: WorkerSeen
    row: Row | None
    memory_bytes: int


@click.command()
@stack_argument
@json_option
def status(stack: str, as_json: bool) -> int:
    """Say what a running stack does: each hop's use, limit and headroom, and each worker.

    A limit is what the plan is sure of; memory is that of processes, beside what the plan gives
    them with their sockets. STACK is a port, an address and port, or a run folder; the only one
    that runs needs no name.

    \b
    holdfast status
    holdfast status 8000 --json | jq .in_flight
    """
    running = find_running(stack)
    workers = tuple(_workers(running))
    used = tuple(_used(running, workers))
    if as_json:
        say.data(_json(running, workers, used))
    else:
        _show(running, workers, used)
    return 0


def _workers(running: Running) -> Iterator[Worker]:
    """Each worker with its row of the gauge, where it has one by now."""
    try:
        gauge = Gauge(running.gauge)
    except OSError:  # it has ended since it was asked
        hint = "it has ended just now; `holdfast up` starts one"
        raise BadInput("the stack counts no more", place=running.gauge, hint=hint) from None
    try:
        rows = {row.pid: row for row in gauge.read()}
    finally:
        gauge.close()
    for seen in running.workers:
        yield Worker(seen, rows.get(seen.pid), read_memory(seen.pid) if seen.pid else 0)


def _used(running: Running, workers: tuple[Worker, ...]) -> Iterator[Used]:
    """What is used of each bound; what so many workers hold stands for those planned."""
    edge = [pid for master in running.edge_pids for pid in (master, *children(master))]
    memory = {
        "edge": sum(map(read_memory, edge)),
        "workers": sum(worker.memory_bytes for worker in workers),
    }
    for bound in running.bounds:
        if bound.resource == "memory":
            yield Used(bound.hop, "memory", memory[bound.hop], bound.most)
        else:
            most = bound.most
            if bound.hop == "workers" and running.sure:
                most = running.sure
            yield Used(bound.hop, "requests", running.in_flight, most)


def _json(running: Running, workers: tuple[Worker, ...], used: tuple[Used, ...]) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(running)
    del told["bounds"]
    told["hops"] = [
        {**one._asdict(), "headroom": max(0, one.most - one.used) if one.most else None}
        for one in used
    ]
    told["workers"] = [
        {
            **msgspec.to_builtins(seen),
            "in_flight": row.started - row.finished if row else 0,
            "answered": row.finished if row else 0,
            "waiting": row.waiting if row else 0,
            "refused": row.refused if row else 0,
            "upgraded": row.upgraded if row else 0,
            "memory_bytes": memory_bytes,
        }
        for seen, row, memory_bytes in workers
    ]
    return told


def _show(running: Running, workers: tuple[Worker, ...], used: tuple[Used, ...]) -> None:
    where = f"{running.scheme}://{running.address}:{running.port}"
    for_s = format_seconds(float(round(running.for_s)))
    say.text(f"{running.doing} for {for_s}: {running.app} on {where}", style="bold")
    before = f"{running.edge} before " if running.edge else ""
    count = plural(running.slots, "worker")
    most = f", {running.most} at most" if running.most > running.slots else ""
    say.text(f"  {before}{count} of {running.engine}{most}; supervisor {running.supervisor_pid}")
    if running.doing == "drained":
        say.text("  nobody is let in; `holdfast down` ends it")
        return
    say.text()
    columns = ("hop", False), ("", False), ("used", True), ("limit", True), ("headroom", True)
    say.table(columns, [_used_row(one) for one in used])
    say.text()
    titles = (
        say.Column("worker"),
        say.Column("pid", is_number=True, spare=2),
        say.Column("state"),
        say.Column("for", is_number=True, spare=3),
        say.Column("in flight", is_number=True),
        say.Column("answered", is_number=True, spare=1),
        say.Column("memory", is_number=True),
        say.Column("age", is_number=True),
    )
    say.table(titles, [_worker_row(worker) for worker in workers])


def _used_row(one: Used) -> tuple[str, ...]:
    shown = format_bytes if one.resource == "memory" else format_count
    headroom = f"{max(0.0, 1 - one.used / one.most):.0%}" if one.most else ""
    return one.hop, one.resource, shown(one.used), shown(one.most) if one.most else "", headroom


def _worker_row(worker: Worker) -> tuple[str, ...]:
    seen, row, memory_bytes = worker
    state = f"{seen.state} ({seen.why})" if seen.why else seen.state
    return (
        f"{seen.slot}.{seen.generation}",
        str(seen.pid or ""),
        state,
        format_seconds(float(round(seen.for_s))),
        format_count(row.started - row.finished) if row else "",
        format_count(row.finished) if row else "",
        format_bytes(memory_bytes) if memory_bytes else "",
        format_seconds(float(round(seen.age_s))) if seen.pid else "",
    )
