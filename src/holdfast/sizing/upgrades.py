"""What an edge is told of websockets and event streams: how long each may be silent. No I/O."""

from __future__ import annotations

from holdfast.model.values import Value, derived
from holdfast.sizing.layout import EdgeLayout

WEBSOCKET_IDLE = {"nginx": "websocket_idle_s", "haproxy": "timeout_tunnel_s"}
STREAM_IDLE = "stream_idle_s"


def upgraded(layout: EdgeLayout) -> tuple[Value, ...]:
    """The values of what `[edge.websockets]` and `[edge.streams]` ask for, and no others.

    One of either takes what a request takes, from its start to its end, so it is one in flight.
    """
    sockets, streams = layout.front.websockets, layout.front.streams
    made = []
    if sockets.paths:
        why = "a websocket that is silent both ways for so long is ended"
        made.append(derived(WEBSOCKET_IDLE[layout.program], sockets.idle, why))
    if streams.paths:
        why = "an event stream whose app is silent for so long is ended"
        made.append(derived(STREAM_IDLE, streams.idle, why))
    return tuple(made)
