"""What the check kit of engines asks, as a WSGI app: a request lasts until its body is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path, length = environ["PATH_INFO"], environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read(int(length)) if length else environ["wsgi.input"].read()
    if length and len(body) < int(length):
        raise ConnectionResetError("the client went away")
    if path == "/raise":
        raise ValueError("as asked")
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"one", b"two", b"three"])
    if path == "/client":
        body = f"{environ.get('REMOTE_ADDR')} {environ['wsgi.url_scheme']}".encode()
    if path == "/":
        body = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
