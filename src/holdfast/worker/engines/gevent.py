"""gunicorn's gevent worker: a greenlet a connection, up to its cap of connections, idle ones too.

What gevent replaces is replaced here, before the app is imported and before anything else of ours.
"""

from __future__ import annotations

from gevent import monkey

from holdfast.worker.asked import Asked

monkey.patch_all()


def serve(asked: Asked) -> int:
    """Serve until a drain is over; the probe is answered by a server of its own in the same hub."""
    from holdfast.worker.greenlets import serve_connections

    return serve_connections(asked)
