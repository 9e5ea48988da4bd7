"""Which readers there are, and which of them knows a text. Adding a format is one line here."""

from __future__ import annotations

from holdfast.readers import (
    commands,
    compose,
    dockerfile,
    gunicorn,
    haproxy,
    limits,
    nginx,
    procfile,
    sysctl,
    systemd,
)
from holdfast.readers.contract import Reader
from holdfast.readers.text import Text

READERS: tuple[Reader, ...] = (
    nginx.READER,
    haproxy.READER,
    gunicorn.READER,
    systemd.READER,
    sysctl.READER,
    limits.READER,
    compose.READER,
    dockerfile.READER,
    procfile.READER,
    commands.READER,
)


def recognised(text: Text) -> Reader | None:
    """The first reader that knows the text, or None."""
    return next((reader for reader in READERS if reader.recognises(text)), None)
