"""What clients are told and shown over TLS: the table `[edge.tls]`. No behaviour but refusals."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from holdfast.model.front.units import Seconds

Minimum = Literal["1.2", "1.3"]
Port = Annotated[int, Meta(ge=0, le=65_535)]


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """The stack's port speaks TLS, and nothing else. Raises ValueError for keys that contradict."""

    certificate: Annotated[
        str,
        Meta(
            description="File of the certificate and its chain (PEM), like certbot's "
            "`fullchain.pem`; a relative path starts at the folder of holdfast.toml."
        ),
    ] = ""
    key: Annotated[
        str,
        Meta(
            description="File of its private key (PEM, no passphrase); may be the same file. "
            "A change of either is taken over without a reload."
        ),
    ] = ""
    self_signed: Annotated[
        bool,
        Meta(
            description="A certificate is made for the run, instead of files: for trials, "
            "since no client trusts it."
        ),
    ] = False
    hostnames: Annotated[
        tuple[str, ...],
        Meta(description="Names that the certificate must be good for; it is refused where not."),
    ] = ()
    minimum: Annotated[
        Minimum, Meta(description="The oldest version of TLS that is spoken: `1.2` or `1.3`.")
    ] = "1.2"
    http2: Annotated[
        bool, Meta(description="Clients that ask for HTTP/2 (by ALPN) get it; others HTTP/1.1.")
    ] = True
    tickets: Annotated[
        bool,
        Meta(
            description="Clients resume by a ticket that they keep, under a key that the run "
            "keeps; off, by what the edge remembers."
        ),
    ] = True
    redirect: Annotated[
        Port | None,
        Meta(
            description="A second port that speaks plain HTTP, and sends everybody to the "
            "first (308); 0 takes a free one."
        ),
    ] = None
    hsts: Annotated[
        Seconds,
        Meta(
            description="How long browsers are told to come by TLS only "
            "(`Strict-Transport-Security`); 0 tells them nothing."
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        if self.self_signed and (self.certificate or self.key):
            raise ValueError("`self_signed` makes a certificate, so none can be named beside it")
        if not self.self_signed and not (self.certificate and self.key):
            raise ValueError("`certificate` and `key` are needed, or `self_signed = true`")
