"""What an app speaks, by its looks, and what is said where that is not what the engine serves."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from tornado.web import Application

from holdfast.worker.failure import Failure
from holdfast.worker.interfaces import must_speak, speaks


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


async def asgi_by_other_names(s: Any, r: Any, w: Any) -> None: ...


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


def wsgi_by_other_names(env: Any, start: Any) -> list[bytes]:
    return []


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


def django_asgi() -> Any:
    from django.core.handlers.asgi import ASGIHandler

    return ASGIHandler.__new__(ASGIHandler)


def django_wsgi() -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler.__new__(WSGIHandler)


def anything(*args: Any) -> None: ...


def wrapped(scope: Any) -> Any: ...


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (asgi, "ASGI"),
        (asgi_by_other_names, "ASGI"),
        (Asgi(), "ASGI"),
        (functools.partial(asgi), "ASGI"),
        (django_asgi(), "ASGI"),
        (wsgi, "WSGI"),
        (wsgi_by_other_names, "WSGI"),
        (Wsgi(), "WSGI"),
        (django_wsgi(), "WSGI"),
        (Application(), "Tornado"),
        (anything, None),
        (wrapped, None),
        (5, None),
    ],
)
def test_an_interface_shows(app: Any, interface: str | None) -> None:
    """Functions, objects and frameworks' apps are known; what may be either is not guessed."""
    assert speaks(app) == interface


def test_what_may_be_anything_is_let_through() -> None:
    """An app that hides its interface is refused by no engine."""
    must_speak("ASGI", "uvicorn", "m:app", anything, None)
    must_speak("WSGI", "gevent", "m:app", anything, None)


def test_a_wsgi_app_is_told_two_ways() -> None:
    """Under an ASGI engine it may be served by another one, or wrapped."""
    with pytest.raises(Failure) as caught:
        must_speak("ASGI", "uvicorn", "m:app", wsgi, "m.py")
    assert caught.value.hint == (
        "run it with `--engine gevent`, or wrap it, for example with `a2wsgi.WSGIMiddleware`"
    )
