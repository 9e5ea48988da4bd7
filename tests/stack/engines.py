"""What the kit of engines starts: a stack of one, with the same app in the engine's interface."""

from __future__ import annotations

from typing import Any

from holdfast.wire import BY_PLACES, ENGINES, Places

KIT = {"ASGI": "kit_asgi:app", "WSGI": "kit_wsgi:app", "Tornado": "kit_tornado:app"}
ROOM = {"sync": 1, "gthread": 20}
"""Requests that a worker is to hold here; an engine that caps is given so many, and no more."""
USUAL_ROOM = 100
BACKLOG = 237


def room(engine: str) -> int:
    return ROOM.get(engine, USUAL_ROOM)


def fields(engine: str, **others: Any) -> dict[str, Any]:
    """A stack of one worker that holds so many, with the kit's app."""
    told = {"app": KIT[ENGINES[engine].interface], "slots": 1, "backlog": BACKLOG}
    return {**told, **capped(engine, room(engine)), **others}


def capped(engine: str, count: int) -> dict[str, Any]:
    """The engine, with so many requests at once where it can be told: by its cap, or by places."""
    caps = ENGINES[engine].caps
    if caps == BY_PLACES:
        places = Places(count, room=1_000, wait_s=30.0, retry_after_s=1)
        return {"engine": engine, "places": places}
    return {"engine": engine, "cap": count if caps else 0}
