"""HF201: on every link the dialler gives up an idle connection before the listener. No file."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.checks.ignored_keepalive import closing
from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.checks.upstream_keepalive import keeps, proxies
from holdfast.checks.walls import said
from holdfast.model.finding import Change, Finding, Severity
from holdfast.model.path import Hop, Link, Path
from holdfast.model.units import format_seconds
from holdfast.model.values import Source, Value, derived
from holdfast.programs import gunicorn, nginx_rows
from holdfast.programs.rows import effective

CODE = "HF201"
MARGIN = 2
"""The listener keeps an idle connection so many times as long, so that clocks do not matter."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each link whose listener closes first, or at the same time."""
    for hop in subject.path.hops:
        for link in hop.links:
            dialler, listener = _dialler(hop, link), _listener(subject.path, link)
            early, late = number_of(dialler), number_of(listener)
            if not early or late is None or early < late:
                continue
            changes = _changes(subject.path, link.to, listener, early)
            keeps = f"closes an idle connection after {format_seconds(late)}"
            yield finding(
                CODE,
                Severity.WARNING,
                f"`{link.to}` {keeps if late else 'closes every connection'}, and `{hop.name}` "
                f"keeps it for {format_seconds(early)}",
                f"set {said(changes)}: the dialler must give up first",
                listener,
                dialler,
                formula=f"{dialler.setting} {early:g} s < {listener.setting} {late:g} s is not so",
                changes=changes,
            )


def _dialler(hop: Hop, link: Link) -> Value:
    """How long the dialler keeps an idle connection; an nginx that keeps none has no time."""
    if not proxies(hop):
        return link.dialler_idle_s
    if not keeps(hop) or any(closing(hop)):
        return msgspec.structs.replace(link.dialler_idle_s, value=None)
    told = link.dialler_idle_s.value is not None
    return link.dialler_idle_s if told else effective(hop, nginx_rows.UPSTREAM_IDLE)


def _listener(path: Path, link: Link) -> Value:
    """How long the listener does: as told, or as its program does where nobody said."""
    hop = path.hop(link.to)
    if hop.program == "gunicorn" and gunicorn.worker_class(hop) == "sync":
        return Value(gunicorn.KEEP_ALIVE_S.name, None, Source.DEFAULT, "closes, and says so")
    told = link.listener_idle_s.value is not None
    found = None if told else hop.get(gunicorn.KEEP_ALIVE_S.name)
    return link.listener_idle_s if found is None else found


def _changes(path: Path, to: str, listener: Value, early: float) -> tuple[Change, ...]:
    """The listener's own value, longer than the dialler's, by the name its program has for it."""
    hop: Hop = path.hop(to)
    same = (v.setting for v in hop.values if v.place is not None and v.place == listener.place)
    setting = next(same, listener.setting)
    why = f"{MARGIN} x the {early:g} s that the dialler keeps an idle connection"
    value = derived(setting, early * MARGIN, why)
    return (change_of(path, to, value),)


LAW = Law(
    CODE,
    "an idle connection is closed by the wrong end",
    Severity.WARNING,
    "A connection that is kept for the next request is closed by somebody in the end. Where the "
    "listener does it, the dialler may send a request at that moment, and it is lost: a 502 now "
    "and then, which POST requests are not tried again for. Times that nobody wrote count: nginx "
    "keeps an upstream for 60 s, gunicorn a client for 2 s, uvicorn for 5 s.",
    "the dialler's idle timeout < the listener's, on each link",
    "docs.aws.amazon.com, Application Load Balancers, connection idle timeout; RFC 9112, 9.5",
    "Raise the listener's keep-alive above the dialler's idle timeout.",
    check,
)
