"""What a trial's clients speak: TLS or not, HTTP/1.1 or 2. Options, and what is refused.

Starts nothing; must not know how load is made.
"""

from __future__ import annotations

import importlib.util

import click

from holdfast.cli.options import Command, streams_option
from holdfast.model.errors import BadInput
from holdfast.model.front.tls import Tls

__all__ = ["check_ca", "check_http2", "check_spoken", "spoken_options", "streams_option"]


def spoken_options(command: Command) -> Command:
    """`--streams` and `--ca`."""
    ca = click.option(
        "--ca",
        type=click.Path(),
        default="",
        help="Certificates (PEM) to verify the server's by  [default: it is not verified]",
    )
    return streams_option(ca(command))


def check_http2(streams: int) -> None:
    """Raise BadInput where clients are to speak HTTP/2 and cannot."""
    if streams > 1 and importlib.util.find_spec("hpack") is None:
        raise BadInput(
            f"`--streams {streams}` is HTTP/2, which needs `hpack`, and that is not there",
            place="--streams",
            hint="install `holdfast[http2]`",
        )


def check_ca(ca: str, *, tls: bool) -> None:
    """Raise BadInput where there is nothing to verify, or nothing to verify it by."""
    if not ca:
        return
    if not tls:
        hint = "leave it out, or name an https URL (of an app: `--tls`)"
        raise BadInput("`--ca` verifies TLS, and none is spoken", place="--ca", hint=hint)
    from holdfast.load.tls import context_of

    context_of(ca)


def check_spoken(tls: Tls | None, streams: int, ca: str) -> None:
    """Raise BadInput where the edge of a sized app does not speak what its clients would."""
    check_ca(ca, tls=tls is not None)
    if streams > 1 and (tls is None or not tls.http2):
        fault = f"`--streams {streams}` is HTTP/2, and the edge does not speak it to clients"
        why = "without TLS" if tls is None else "with `http2 = false` in `[edge.tls]`"
        hint = "add `--tls`" if tls is None else "leave `http2` out there"
        raise BadInput(f"{fault} {why}", place="--streams", hint=hint)
