"""An app that fails at startup, as one does whose database is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Fail before the first request."""
    raise RuntimeError("no database at startup")
    yield


app = FastAPI(lifespan=lifespan)
