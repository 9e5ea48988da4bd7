"""What an app speaks, by its looks: ASGI, WSGI or Tornado. Calls no app, imports no engine."""

from __future__ import annotations

import inspect
import sys
from typing import Any, Final

from holdfast.wire import USUAL_ENGINES, Interface
from holdfast.worker.failure import Failure

SPELLED: Final = {
    "ASGI": "`async def app(scope, receive, send)`",
    "WSGI": "`def app(environ, start_response)`",
    "Tornado": "a `tornado.web.Application`",
}
_LAST: Final[dict[tuple[str, ...], Interface]] = {
    ("scope", "receive", "send"): "ASGI",
    ("environ", "start_response"): "WSGI",
}


def must_speak(wanted: Interface, engine: str, target: str, app: Any, place: str | None) -> None:
    """Raise Failure where `app` plainly speaks something else than the engine serves."""
    spoken = speaks(app)
    if spoken is None and not callable(app):
        fault = f"`{target}` is of type {type(app).__name__}, which cannot be called"
        hint = f"name {_a(wanted)} app: {SPELLED[wanted]}"
        raise Failure(fault, place=place, hint=hint)
    if spoken not in {None, wanted}:
        assert spoken is not None
        fault = (
            f"`{target}` is {_a(spoken)} app, and the engine `{engine}` serves {wanted}: "
            f"{_a(wanted)} app is wanted"
        )
        raise Failure(fault, place=place, hint=_hint(spoken, wanted))


def speaks(app: Any) -> Interface | None:
    """The interface that shows in what the app is, or in how it is called; None: neither shows."""
    tornado = sys.modules.get("tornado.httputil")
    if tornado is not None and isinstance(app, tornado.HTTPServerConnectionDelegate):
        return "Tornado"
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    names = tuple(each.name for each in parameters)
    for last, interface in _LAST.items():
        if names[-len(last) :] == last:
            return interface
    needed = [each for each in parameters if each.default is each.empty]
    call = app if inspect.isroutine(app) else getattr(app, "__call__", None)  # noqa: B004
    if len(needed) == 3 and inspect.iscoroutinefunction(call):
        return "ASGI"
    return "WSGI" if len(needed) == 2 and not inspect.iscoroutinefunction(call) else None


def _hint(spoken: Interface, wanted: Interface) -> str:
    ways = f"run it with `--engine {USUAL_ENGINES[spoken]}`"
    if (spoken, wanted) == ("WSGI", "ASGI"):
        ways += ", or wrap it, for example with `a2wsgi.WSGIMiddleware`"
    return ways


def _a(interface: Interface) -> str:
    return f"an {interface}" if interface == "ASGI" else f"a {interface}"
