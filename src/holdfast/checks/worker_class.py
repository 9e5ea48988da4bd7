"""HF302: gunicorn has the class of workers that it is told to start. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from holdfast.checks.law import Law, Subject, finding
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop
from holdfast.model.values import Value
from holdfast.programs import gunicorn

CODE = "HF302"
ONE_OF = f"worker_class is one of {', '.join(sorted(gunicorn.CLASSES))}, or a module's"
COMMENTED = "commented_worker_class"
"""A hop's value: the class of workers that a comment of its file offers."""
MEANT = {"asyncio": "uvicorn_worker.UvicornWorker", "async": "gevent", "uvloop": "asgi"}
"""What those mean who write a name that never was one."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each gunicorn whose class of workers is no name it knows, or is gone from it."""
    for hop in subject.path.hops:
        yield from _offered(hop)
        said = hop.get(gunicorn.WORKER_CLASS.name)
        if hop.program != "gunicorn" or said is None or said.value is None:
            continue
        kind = gunicorn.worker_class(hop)
        if gunicorn.is_gone(hop):
            since = gunicorn.CLASSES[kind].gone
            message = f"`{kind}` workers are gone since gunicorn {since}, so it does not start"
            yield _found(said, message, "gevent")
        elif kind not in gunicorn.CLASSES and not set(kind) & set(".:#"):  # no module of theirs
            message = f"gunicorn has no worker class `{kind}`, so it does not start"
            yield _found(said, message, _instead(kind))


def _offered(hop: Hop) -> Iterator[Finding]:
    """A note where a comment offers a class that there is not."""
    said = hop.get(COMMENTED)
    if said is None or (kind := str(said.value)) in gunicorn.CLASSES:
        return
    yield finding(
        CODE,
        Severity.NOTE,
        f"a comment offers the worker class `{kind}`, which gunicorn does not have",
        f'offer `worker_class = "{_instead(kind)}"`',
        said,
        formula=ONE_OF,
    )


def _instead(kind: str) -> str:
    near = get_close_matches(kind, gunicorn.CLASSES, n=1)
    return MEANT.get(kind) or (near[0] if near else "gevent")


def _found(said: Value, message: str, instead: str) -> Finding:
    return finding(
        CODE,
        Severity.ERROR,
        message,
        f'set `worker_class = "{instead}"`',
        said,
        formula=ONE_OF,
    )


LAW = Law(
    CODE,
    "a worker class that gunicorn does not have",
    Severity.ERROR,
    "gunicorn loads its workers by name, and ends at once where there is none of that name: "
    "`asyncio` never was one, and `eventlet` is gone since 26.0.",
    "worker_class is a name that the version has, or the path of a class",
    "docs.gunicorn.org, worker_class; release notes of 26.0",
    "Choose gevent or gthread for a WSGI app, uvicorn's class or asgi for an ASGI app.",
    check,
)
