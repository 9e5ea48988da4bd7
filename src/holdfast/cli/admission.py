"""`--wait`, and what a plan says of request N+1. Decides no number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import msgspec

from holdfast.cli.options import SECONDS
from holdfast.model.errors import BadInput
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Hop
from holdfast.model.units import format_seconds
from holdfast.programs import admission as programs
from holdfast.readers.project import Project
from holdfast.sizing.admission import ACTS
from holdfast.sizing.engines import beyond
from holdfast.wire import Places


def wait_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--wait TIME`."""
    return click.option(
        "--wait",
        "wait_s",
        type=SECONDS,
        default=None,
        help="Requests beyond N wait so long for a place, then 503; 0s: at once.",
    )(command)


def refuse_wait(wait_s: float | None, hint: str) -> None:
    """Raise BadInput where a wait was asked for beside a URL."""
    if wait_s is not None:
        raise BadInput("`--wait` contradicts a URL", place="--wait", hint=hint)


def with_wait(project: Project, wait_s: float | None, engine: str) -> Project:
    """The project with the wait that was asked for; raises BadInput where the engine has no line.

    A sync worker takes one request at a time, and those behind it wait in its accept queue. Where
    nobody asked, requests wait all the same for an engine that lets in whoever comes.
    """
    told = project.admission
    if wait_s is not None:
        told = msgspec.structs.replace(told, wait=wait_s)
    if told.wait is not None and engine == "sync":
        raise BadInput(
            "requests wait for the engine `sync` in its accept queue, where nobody counts time",
            place="--engine",
            hint="use `--engine gevent` or `gthread`, or leave out `--wait` and `[admission]`",
        )
    if told.wait is not None and project.edge.hosts:
        raise BadInput(
            "each host of `[[edge.hosts]]` lets in its own number",
            place="--wait" if wait_s is not None else "[admission]",
            hint="say it where they run",
        )
    if not project.edge.hosts:
        told = beyond(engine, told)
    return msgspec.structs.replace(project, admission=told)


def admission_notes(project: Project, walls: tuple[tuple[Limit, Holds], ...]) -> tuple[str, ...]:
    """Which program acts on requests beyond N, from which one on, and how."""
    told = project.admission
    if told.wait is None:
        return ()
    limit, holds = next(wall for wall in walls if wall[0].resource in ACTS)
    again = format_seconds(told.retry_after_s)
    room = f"; {limit.full.room:,} may wait" if limit.full.room else ""
    health = f"; {', '.join(told.health)} need no place" if told.health else ""
    said = f"request {holds.best + 1:,}: {limit.full.told}, Retry-After {again}"
    return (f"{said} ({limit.resource} of {limit.hop}){room}{health}",)


def worker_places(workers: Hop, health: tuple[str, ...]) -> Places | None:
    """What each worker is told that keeps places; None where somebody else does, or nobody."""
    numbers = [
        workers.get(name)
        for name in (programs.PLACES, programs.ROOM, programs.WAIT_S, programs.RETRY_AFTER_S)
    ]
    cap, room, wait_s, again = (0.0 if each is None else each.number for each in numbers)
    if not cap:
        return None
    return Places(int(cap), int(room), wait_s, int(again), health)
