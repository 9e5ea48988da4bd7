"""The same as `versioned` in WSGI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from version import HEADER, NONCE, VERSION, begin

HEADERS = [("Content-Length", "2"), (HEADER, VERSION)]
WANTED = "HTTP_" + NONCE.upper().replace("-", "_")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    time.sleep(begin(environ.get(WANTED, "")))
    start_response("200 OK", HEADERS)
    return [b"ok"]
