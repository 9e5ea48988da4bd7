"""`--tls`, and what a command makes of `[edge.tls]`: paths, a certificate for trials, refusals."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click
import msgspec

from holdfast.cli.edges import Chosen
from holdfast.model.errors import BadInput
from holdfast.model.front.tls import Tls
from holdfast.model.path import Demand, Path
from holdfast.model.units import format_seconds
from holdfast.programs.tls import storm
from holdfast.readers.project import Project
from holdfast.stack.certificates import now_s, read_pair


def tls_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--tls`: the edge speaks TLS."""
    return click.option(
        "--tls",
        is_flag=True,
        help="TLS at the edge, self-signed where holdfast.toml has no `[edge.tls]`.",
    )(command)


def placed(project: Project, folder: str) -> Project:
    """The project with its certificate's paths as they are from here, not from its own folder."""
    tls = project.edge.tls
    if tls is None:
        return project
    return _with(
        project,
        msgspec.structs.replace(
            tls,
            certificate=tls.certificate and os.path.join(folder, tls.certificate),
            key=tls.key and os.path.join(folder, tls.key),
        ),
    )


def with_tls(project: Project, *, asked: bool, chosen: Chosen) -> Project:
    """The project with TLS where it is asked for; raises BadInput where no edge is to speak it."""
    if not asked:
        return project
    if chosen.program is None:
        hint = "; ".join((*chosen.notes, "use `--edge nginx` or `--edge haproxy`"))
        raise BadInput("`--tls` is spoken by an edge, and there is none", place="--tls", hint=hint)
    return project if project.edge.tls else _with(project, Tls(self_signed=True))


def refuse_tls(beside: str, hint: str, *, asked: bool) -> None:
    """Raise BadInput where TLS was asked for `beside` what starts no edge."""
    if asked:
        raise BadInput(f"`--tls` contradicts {beside}", place="--tls", hint=hint)


def tls_notes(path: Path, demand: Demand) -> tuple[str, ...]:
    """What it takes to let every client in again at once, where the path's edge speaks TLS."""
    edge = next((hop for hop in path.hops if hop.name == "edge"), None)
    found = None if edge is None else storm(edge, demand, path.host(edge.host).cores)
    if edge is None or found is None:
        return ()
    cores = path.host(edge.host).cores
    said = (
        f"{found.clients:,} clients that reconnect at once take {edge.program} "
        f"{format_seconds(round(found.full_s, 1))} of handshakes on {cores:g} cores, and "
        f"{format_seconds(round(found.resumed_s, 1))} where their sessions resume"
    )
    return (said,)


def certificate_notes(tls: Tls | None, *, is_here: bool, starts: bool) -> tuple[str, ...]:
    """What is to be said of the table's files, which `is_here` says are this machine's.

    A pair that cannot serve is BadInput where a trial `starts`, and else a note.
    """
    if tls is None or tls.self_signed or not is_here:
        return ()
    try:
        return read_pair(tls, now_s()).notes
    except BadInput as bad:
        if starts:
            raise
        return (f"an edge would be refused this certificate: {bad.fault} - at {bad.place}",)


def _with(project: Project, tls: Tls) -> Project:
    return msgspec.structs.replace(project, edge=msgspec.structs.replace(project.edge, tls=tls))
