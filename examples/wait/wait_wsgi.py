"""The waiting app in WSGI: a thread, a greenlet or a process sleeps through each request.

gunicorn -k gevent wait_wsgi:app
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from wait import BODY, MU, RNG, SIGMA

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer 200 after a drawn time; `/health` at once."""
    if environ["PATH_INFO"] != "/health":
        time.sleep(RNG.lognormvariate(MU, SIGMA))
    start_response("200 OK", HEADERS)
    return [BODY]
