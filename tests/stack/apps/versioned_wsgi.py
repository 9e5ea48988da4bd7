"""The same as `versioned` in WSGI: its answers say which code made them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from version import HEADER, NONCE, VERSION, begin

HEADERS = [("Content-Length", "2"), (HEADER, VERSION)]
WANTED = "HTTP_" + NONCE.upper().replace("-", "_")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    threading.Event().wait(begin(environ.get(WANTED, "")))
    start_response("200 OK", HEADERS)
    return [b"ok"]
