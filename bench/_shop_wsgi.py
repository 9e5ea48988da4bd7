"""The shop of `examples/shop` in WSGI, as Flask apps are written: the same upstream and answers.

Asks by urllib3 itself: requests, which most apps use, stands on it and takes half as much again.

Requests for one record share one call, a product and its supplier are fetched at the same time,
and connections are kept, as in the shop; threads are whatever the server makes of them.

    SHOP_UPSTREAM=http://127.0.0.1:9001 PYTHONPATH=bench gunicorn -k gevent _shop_wsgi:app
"""

from __future__ import annotations

import os
import threading
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import urllib3
from flask import Flask, jsonify

Record = dict[str, Any]
UPSTREAM = os.environ.get("SHOP_UPSTREAM", "http://127.0.0.1:9001").split(",")
ITEMS, SUPPLIERS = 1_000_000, 500
TIMEOUT_S = 600.0
AT_ONCE = 1_000
"""Calls and connections of a process, as many as the guide's workers have clients."""


class Records:
    """Fetches records; whoever asks for one that is under way shares its outcome."""

    def __init__(self) -> None:
        self._upstream = urllib3.PoolManager(maxsize=AT_ONCE, retries=False, timeout=TIMEOUT_S)
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._lock = threading.Lock()
        self._flying: dict[str, Future[Record]] = {}

    def soon(self, path: str) -> Future[Record]:
        """The record, once it is there."""
        with self._lock:
            found = self._flying.get(path)
            if found is None:
                found = self._flying[path] = self._pool.submit(self._fetch, path)
                found.add_done_callback(lambda _: self._flying.pop(path, None))
            return found

    def _fetch(self, path: str) -> Record:
        base = UPSTREAM[zlib.crc32(path.encode()) % len(UPSTREAM)]
        answer = self._upstream.request("GET", base + path)
        if answer.status != 200:
            raise OSError(f"{path}: status {answer.status}")
        record: Record = answer.json()
        return record


app = Flask(__name__)
app.json.compact, app.json.sort_keys, app.json.ensure_ascii = True, False, False  # type: ignore[attr-defined]
RECORDS = Records()


@app.get("/items/<int:item_id>")
def item(item_id: int) -> Any:
    if not 0 <= item_id < ITEMS:
        return jsonify(detail="no such item"), 404
    product_soon = RECORDS.soon(f"/products/{item_id}")
    supplier = RECORDS.soon(f"/suppliers/{item_id % SUPPLIERS}").result()
    return jsonify(
        {**product_soon.result(), "supplier": supplier["name"], "stock": supplier["stock"]}
    )


@app.get("/health")
def health() -> Any:
    return jsonify(ok=True)


@app.get("/")
def index() -> Any:
    return jsonify(shop="open", pid=os.getpid())
