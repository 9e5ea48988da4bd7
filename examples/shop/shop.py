"""A small shop, written the way FastAPI apps are: it asks, reads, caches and merges.

Decides what the shop answers. Knows nothing of how it is served, in how many processes, or how
many requests are in flight.

    SHOP_UPSTREAM=http://127.0.0.1:9001,http://127.0.0.1:9002 uvicorn shop:app
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sqlite3
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiohttp
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from yarl import URL

K = TypeVar("K")
V = TypeVar("V")
Record = dict[str, Any]

UPSTREAM = os.environ.get("SHOP_UPSTREAM", "http://127.0.0.1:9001").split(",")
TIMEOUT_S = float(os.environ.get("SHOP_TIMEOUT_S", "600"))  # 0: no limit
ITEMS = int(os.environ.get("SHOP_ITEMS", "1000000"))
USERS = int(os.environ.get("SHOP_USERS", "10000"))
CACHE_TTL_S = float(os.environ.get("SHOP_CACHE_TTL_S", "60"))
CACHE_SIZE = int(os.environ.get("SHOP_CACHE_SIZE", "10000"))
SUPPLIERS = 500
SQLITE_MAX = 2**63 - 1
CONNECT_TIMEOUT_S = 10.0
KEEP_IDLE_S = 15.0
GC_THRESHOLD = 200_000  # objects; a request in flight is some 150 that no collection can free

if ITEMS < 10_000:
    raise ValueError(f"SHOP_ITEMS is {ITEMS}; the shop has at least 10000 items")


class UpstreamError(Exception):
    """The upstream could not be asked, or its answer was not a record."""


class SingleFlight(Generic[K, V]):
    """Makes one call per key at a time; whoever asks meanwhile shares its outcome.

    Nothing is kept once the call has ended, least of all a failure.
    """

    def __init__(self, call: Callable[[K], Awaitable[V]]) -> None:
        self._call = call
        self._waiters: dict[K, list[asyncio.Future[V]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    def __len__(self) -> int:
        """How many calls are under way."""
        return len(self._waiters)

    def get(self, key: K) -> asyncio.Future[V]:
        """A future of this caller's own: cancelling it disturbs neither the call nor others."""
        waiter: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        if key in self._waiters:
            self._waiters[key].append(waiter)
        else:
            self._waiters[key] = [waiter]
            task = asyncio.create_task(self._fly(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return waiter

    async def _fly(self, key: K) -> None:
        try:
            value = await self._call(key)
        except Exception as error:
            for waiter in self._land(key):
                waiter.set_exception(error)
                waiter.exception()  # seen: asyncio logs no error of a caller that has left
        except BaseException:  # this task was cancelled: the process is stopping
            for waiter in self._land(key):
                waiter.cancel()
            raise
        else:
            for waiter in self._land(key):
                waiter.set_result(value)

    def _land(self, key: K) -> list[asyncio.Future[V]]:
        return [waiter for waiter in self._waiters.pop(key) if not waiter.done()]


class Cache(Generic[K, V]):
    """The most recently used values, at most `size` of them, each for at most `ttl_s` seconds."""

    def __init__(self, size: int, ttl_s: float, clock: Callable[[], float]) -> None:
        self._size = size
        self._ttl_s = ttl_s
        self._clock = clock
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        """How many values are kept, stale ones included."""
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value if it is here and fresh, else None."""
        entry = self._values.get(key)
        if entry is None:
            return None
        expires_s, value = entry
        if expires_s <= self._clock():
            del self._values[key]
            return None
        self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value; the least recently used one makes room for it."""
        self._values[key] = (self._clock() + self._ttl_s, value)
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)


class Upstream:
    """The service that knows products and suppliers, spread over one address per shard."""

    def __init__(self, session: aiohttp.ClientSession, bases: list[str]) -> None:
        self._session = session
        self._bases = bases

    def url(self, path: str) -> URL:
        """Where a record lives: always on the same shard, whichever process asks."""
        base = self._bases[zlib.crc32(path.encode()) % len(self._bases)]
        return URL(base + path, encoded=True)

    async def fetch(self, path: str) -> Record:
        """One record, as the upstream tells it; raises UpstreamError."""
        try:
            response = await self._session.get(self.url(path), allow_redirects=False)
            body = await response.read()  # the whole body: this gives the connection back
        except TimeoutError as error:
            raise UpstreamError(f"{path}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(f"{path}: {type(error).__name__}") from error
        if response.status != 200:
            raise UpstreamError(f"{path}: status {response.status}")
        try:
            found = json.loads(body)
        except ValueError as error:
            raise UpstreamError(f"{path}: not JSON") from error
        if not isinstance(found, dict):
            raise UpstreamError(f"{path}: not a record")
        return found


class Users:
    """The users' table in SQLite, read by one connection per thread."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "shop.db"
        self._local = threading.local()
        if not self._file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._create(folder)

    def get(self, user_id: int) -> Record | None:
        """The user's row, or None."""
        if abs(user_id) > SQLITE_MAX:
            return None
        query = "SELECT id, name, email FROM users WHERE id = ?"
        row = self._connection().execute(query, (user_id,)).fetchone()
        return None if row is None else {"id": row[0], "name": row[1], "email": row[2]}

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True)
            self._local.connection = connection
        return connection

    def _create(self, folder: Path) -> None:
        """Several processes may start at once: each writes its own file, one of them wins."""
        draft = folder / f"shop-{os.getpid()}.tmp"
        draft.unlink(missing_ok=True)
        with sqlite3.connect(draft) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # made anew wherever it is missing
            connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name, email)")
            rows = ((n, f"User {n}", f"user{n}@shop.example") for n in range(USERS))
            connection.executemany("INSERT INTO users VALUES (?, ?, ?)", rows)
        connection.close()
        draft.replace(self._file)


class Shop:
    """What the endpoints share; it lives as long as the process serves."""

    def __init__(self, upstream: Upstream, users: Users) -> None:
        self.records = SingleFlight(upstream.fetch)
        self.users = users
        self.cache: Cache[int, Record] = Cache(
            CACHE_SIZE, CACHE_TTL_S, asyncio.get_running_loop().time
        )

    async def item(self, item_id: int) -> Record:
        """A product and its supplier, fetched at the same time and merged."""
        product_soon = self.records.get(f"/products/{item_id}")  # both are under way from here
        supplier_soon = self.records.get(f"/suppliers/{item_id % SUPPLIERS}")
        product, supplier = await product_soon, await supplier_soon
        return {**product, "supplier": supplier["name"], "stock": supplier["stock"]}

    async def data(self, item_id: int) -> Record:
        """A product, from the cache if it is there."""
        found = self.cache.get(item_id)
        if found is None:
            found = await self.records.get(f"/products/{item_id}")
            self.cache.put(item_id, found)
        return found


def open_session() -> aiohttp.ClientSession:
    """A session without what this shop never uses: cookies, redirects, compression."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_IDLE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S or None, sock_connect=CONNECT_TIMEOUT_S),
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        auto_decompress=False,
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the session and the users' file (SHOP_DATA, else a folder that goes away again)."""
    told = os.environ.get("SHOP_DATA")
    with nullcontext(told) if told else tempfile.TemporaryDirectory(prefix="shop-") as folder:
        users = Users(Path(folder))
        async with open_session() as session:
            gc.freeze()
            gc.set_threshold(GC_THRESHOLD)
            app.state.shop = Shop(Upstream(session, UPSTREAM), users)
            yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(UpstreamError)
async def bad_gateway(request: Request, error: UpstreamError) -> JSONResponse:
    return JSONResponse({"error": f"upstream: {error}"}, status_code=502)


def checked(item_id: int) -> int:
    """The id, if the shop has such an item; else 404."""
    if not 0 <= item_id < ITEMS:
        raise HTTPException(404, "no such item")
    return item_id


@app.get("/items/{item_id}")
async def item(item_id: int, request: Request) -> JSONResponse:
    shop: Shop = request.app.state.shop
    return JSONResponse(await shop.item(checked(item_id)))


@app.get("/data/{item_id}")
async def data(item_id: int, request: Request) -> JSONResponse:
    shop: Shop = request.app.state.shop
    return JSONResponse(await shop.data(checked(item_id)))


@app.get("/users/{user_id}")
def user(user_id: int, request: Request) -> JSONResponse:
    shop: Shop = request.app.state.shop
    found = shop.users.get(user_id)
    if found is None:
        raise HTTPException(404, "no such user")
    return JSONResponse(found)


@app.get("/health")
async def health() -> JSONResponse:
    return JSONResponse({"ok": True})


@app.get("/")
async def index() -> JSONResponse:
    return JSONResponse({"shop": "open", "pid": os.getpid()})
