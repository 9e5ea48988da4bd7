"""A plain ASGI app that makes a file where its environment says, as soon as it is imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

folder = Path(os.environ["FILES"])
folder.mkdir(parents=True)
(folder / "made").touch()


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
