"""What lasts: websockets and event streams, by path: `[edge.websockets]`, `[edge.streams]`."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from holdfast.model.front.units import Seconds

USUAL_IDLE_S: Final = 60.0
"""Three times what uvicorn and hypercorn leave between two pings of a websocket (20 s)."""
USUAL_LEAVE_S: Final = 1.0

UrlPath = Annotated[str, Meta(pattern=r"^/[A-Za-z0-9._~/-]*$")]
"""What a path begins with."""


class Websockets(Struct, frozen=True, forbid_unknown_fields=True):
    """Requests that become websockets: nowhere, unless a path says so."""

    paths: Annotated[
        tuple[UrlPath, ...],
        Meta(
            description="What paths of websockets begin with. Everywhere else `Upgrade` is not "
            "passed on, and the app has a plain request."
        ),
    ] = ()
    idle: Annotated[
        Seconds, Meta(description="A websocket that is silent both ways for so long is ended.")
    ] = USUAL_IDLE_S
    leave: Annotated[
        Seconds,
        Meta(
            description="When its worker leaves, each is closed with 1012, evenly over so long, so "
            "that clients do not all come back at once."
        ),
    ] = USUAL_LEAVE_S


class Streams(Struct, frozen=True, forbid_unknown_fields=True):
    """Answers that do not end by themselves: server-sent events."""

    paths: Annotated[
        tuple[UrlPath, ...],
        Meta(
            description="What paths of event streams begin with. There an answer is passed on as "
            "it comes, and may be silent for as long as `idle` says."
        ),
    ] = ()
    idle: Annotated[
        Seconds, Meta(description="A stream whose app is silent for so long is ended.")
    ] = USUAL_IDLE_S
    leave: Annotated[
        Seconds,
        Meta(
            description="When its worker leaves, each `text/event-stream` is ended after an event, "
            "evenly over so long; its client comes back by itself."
        ),
    ] = USUAL_LEAVE_S
