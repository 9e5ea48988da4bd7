"""The whole of what an edge does for a site: the table `[edge]` of holdfast.toml. No behaviour."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.body import Body
from holdfast.model.front.checks import Checks
from holdfast.model.front.tls import Tls
from holdfast.model.front.upgrades import Streams, Websockets
from holdfast.model.front.upstreams import Upstream


class Front(Struct, frozen=True, forbid_unknown_fields=True):
    """A field a feature, each with a default that changes nothing of a plain edge."""

    body: Annotated[Body, Meta(description="What a request may bring.")] = Body()
    tls: Annotated[
        Tls | None,
        Meta(description="The port speaks TLS: [what each program does with it](../edge/tls.md)."),
    ] = None
    websockets: Annotated[
        Websockets,
        Meta(
            description="Requests that become websockets: "
            "[what each program does with them](../edge/websockets.md)."
        ),
    ] = Websockets()
    streams: Annotated[
        Streams,
        Meta(
            description="Answers that do not end by themselves, such as server-sent events: "
            "[what each program does with them](../edge/event-streams.md)."
        ),
    ] = Streams()
    hosts: Annotated[
        tuple[Upstream, ...],
        Meta(description="The hosts that serve the app, in place of workers on this one."),
    ] = ()
    spare_hosts: Annotated[
        int, Meta(ge=0, description="So many hosts may be lost, and the others hold the number.")
    ] = 1
    checks: Annotated[
        Checks | None,
        Meta(
            description="How the edge finds out that a host is not well; with a `path` and no "
            "hosts, HAProxy asks each worker. Hosts are checked whether this is written or not."
        ),
    ] = None
