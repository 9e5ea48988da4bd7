"""The whole of what an edge does for a site: the table `[edge]` of holdfast.toml. No behaviour."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.body import Body
from holdfast.model.front.cache import Cache
from holdfast.model.front.checks import Checks
from holdfast.model.front.clients import Clients
from holdfast.model.front.compression import Compression
from holdfast.model.front.errors import ErrorPage
from holdfast.model.front.files import Files
from holdfast.model.front.tls import Tls
from holdfast.model.front.upgrades import Streams, Websockets
from holdfast.model.front.upstreams import Upstream


class Front(Struct, frozen=True, forbid_unknown_fields=True):
    """A field a feature, each with a default that changes nothing of a plain edge."""

    body: Annotated[
        Body, Meta(description="What a request may bring: [what N of them take](../edge/body.md).")
    ] = Body()
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
        Meta(
            description="The hosts that serve the app, in place of workers on this one: "
            "[what is lost with one](../edge/hosts.md)."
        ),
    ] = ()
    spare_hosts: Annotated[
        int, Meta(ge=0, description="So many hosts may be lost, and the others hold the number.")
    ] = 1
    checks: Annotated[
        Checks | None,
        Meta(
            description="How the edge finds out that a host is not well; with a `path` and no "
            "hosts, HAProxy asks each worker. Hosts are checked whether this is written or not: "
            "[what each program does](../edge/checks.md)."
        ),
    ] = None
    files: Annotated[
        tuple[Files, ...],
        Meta(description="Folders that the edge serves: [what it does](../edge/files.md)."),
    ] = ()
    compression: Annotated[
        Compression | None,
        Meta(
            description="Answers are compressed for clients who take it: "
            "[what each program does](../edge/compression.md)."
        ),
    ] = None
    errors: Annotated[
        tuple[ErrorPage, ...],
        Meta(
            description="Pages in place of the edge's own: "
            "[what each program does](../edge/errors.md)."
        ),
    ] = ()
    cache: Annotated[
        Cache | None,
        Meta(
            description="Answers of the app that the edge keeps: "
            "[what each program does](../edge/cache.md)."
        ),
    ] = None
    clients: Annotated[
        Clients,
        Meta(
            description="Who says which address a client has: "
            "[what each program does with it](../edge/client-addresses.md)."
        ),
    ] = Clients()

    def __post_init__(self) -> None:
        kept = () if self.cache is None else self.cache.paths
        lasting = {*self.websockets.paths, *self.streams.paths}
        told = [*(row.url for row in self.files), *kept, *lasting]
        for url in told:
            if told.count(url) > 1:
                raise ValueError(f"`{url}` is said twice: a URL is of one table alone")
