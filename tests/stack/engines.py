"""What the kit of engines starts: a stack of one, with the same app in the engine's interface."""

from __future__ import annotations

from typing import Any

from holdfast.wire import ENGINES

KIT = {"ASGI": "kit_asgi:app", "WSGI": "kit_wsgi:app", "Tornado": "kit_tornado:app"}
ROOM = {"sync": 1, "gthread": 20}
"""Requests that a worker is to hold here; an engine that caps is given so many, and no more."""
USUAL_ROOM = 100
BACKLOG = 237


def room(engine: str) -> int:
    return ROOM.get(engine, USUAL_ROOM)


def fields(engine: str, **others: Any) -> dict[str, Any]:
    """A stack of one worker that holds so many, with the kit's app."""
    row = ENGINES[engine]
    told = {"app": KIT[row.interface], "engine": engine, "slots": 1, "backlog": BACKLOG}
    return {**told, "cap": room(engine) if row.caps else 0, **others}
