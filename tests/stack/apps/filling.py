"""A plain ASGI app that, as soon as it is imported, fills the disk of the file that FILL names."""

from __future__ import annotations

import contextlib
import os
from typing import Any

with contextlib.suppress(OSError), open(os.environ["FILL"], "wb", buffering=0) as file:
    while True:
        file.write(bytes(4_096))


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
