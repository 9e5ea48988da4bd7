"""The client's address as a WSGI app reads it, behind an edge. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.worker.wsgi import App, Environ, StartResponse


def with_client(app: App) -> App:
    """The app with the address that the edge says in place of a unix socket's, which has none."""

    def told(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", "")
        return app(environ, start_response)

    return told
