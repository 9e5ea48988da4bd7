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
from holdfast.readers.project import Project


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


def _with(project: Project, tls: Tls) -> Project:
    return msgspec.structs.replace(project, edge=msgspec.structs.replace(project.edge, tls=tls))
