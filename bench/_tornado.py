"""Serves the waiting app on a port as the Tornado guide's own program does.

python bench/_tornado.py 8071
"""

from __future__ import annotations

import asyncio
import sys

from wait_tornado import app


async def main() -> None:
    """Listen until the process is ended."""
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
