"""The same as `versioned` in WSGI: of which version it is, after a time that the nonce draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from version import HEADER, NONCE, VERSION, wait

HEADERS = [("Content-Length", "2"), (HEADER, VERSION)]
WANTED = "HTTP_" + NONCE.upper().replace("-", "_")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    wait(environ.get(WANTED, ""))
    start_response("200 OK", HEADERS)
    return [b"ok"]
