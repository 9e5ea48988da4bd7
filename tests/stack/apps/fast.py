"""A FastAPI app as its users write one, with a lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request

state = {"started": False}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    state["started"] = True
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/{name}")
async def greet(name: str, request: Request) -> dict[str, object]:
    return {"name": name, "body": (await request.body()).decode(), "started": state["started"]}
