"""Measures what a worker of nginx takes for each answer that it compresses with brotli.

    scripts/bench brotli_answers [LEVEL ...]

One worker, and clients that read the beginning of a large text and no more: each holds a
compressor. The line through so many of them is what one takes (PSS, with what nginx itself has for
a connection). Beside it stand the tables that `sizing` derives from the level, and what is left; an
answer is to take at most 15 % more than the tables and `BROTLI_REST`.
Writes bench/results/brotli-answers.json; half a minute.
"""

from __future__ import annotations

import argparse
import random
import socket
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from _rig import busy_s, nginx_of, save, wait

from holdfast.observe.process import read_memory
from holdfast.sizing.content import BROTLI_REST, brotli_tables
from holdfast.stack.folders import brotli_module

LEVELS: Final = range(1, 10)
STEPS: Final = (0, 4, 8, 16)
MOST_OVER: Final = 1.15
"""How far memory may be past its plan: the law's 15 %."""
TEXT_BYTES: Final = 16 << 20
FIRST_BYTES: Final = 65_536
"""What a client reads of it: by then the compressor has filled its window once, and more."""
ROOM_BYTES: Final = 65_536
"""Of each socket's buffers, so that the answer does not fit into them."""
ASK: Final = b"GET /text.txt HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br\r\n\r\n"
CONFIG: Final = """
load_module {module};
daemon off; pid {folder}/pid; worker_processes 1; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; types {{ text/plain txt; }}
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} sndbuf={room};
    root {root}; brotli on; brotli_comp_level {level}; brotli_types text/plain;
  }}
}}
"""


def put_text(folder: Path) -> None:
    """A file of words, of which about a quarter is left once compressed; always the same."""
    lots = random.Random(0)
    words = [lots.randbytes(lots.randint(1, 6)).hex() for _ in range(20_000)]
    text = " ".join(lots.choices(words, k=TEXT_BYTES // 8))[:TEXT_BYTES]
    (folder / "text.txt").write_text(text)


def reader(port: int) -> socket.socket:
    """A client that has read the beginning of its answer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
    client.settimeout(30.0)
    client.connect(("127.0.0.1", port))
    client.sendall(ASK)
    seen = b""
    while len(seen) < FIRST_BYTES:
        more = client.recv(FIRST_BYTES)
        if not more:
            raise SystemExit(f"error: the answer is only {len(seen):,} bytes: it is no longer held")
        seen += more
    if b"Content-Encoding: br" not in seen:
        raise SystemExit("error: nginx has answered without brotli")
    return client


def wait_until_still(pid: int) -> None:
    """Until the worker does no more: all of its clients' buffers are full."""
    before_s = -1.0

    def is_still() -> bool:
        nonlocal before_s
        before_s, last_s = busy_s([pid]), before_s
        return before_s == last_s

    for _ in range(20):  # looks that are 10 ms apart: two alike are no proof on a busy machine
        before_s = -1.0
        wait(is_still, what="nginx to be done")


def measured(level: int, root: str) -> dict[str, Any]:
    """Bytes of the worker by how many answers it compresses, and of one, by the line."""
    found: dict[int, int] = {}
    words = {"module": brotli_module(), "root": root, "level": level, "room": ROOM_BYTES}
    with nginx_of(CONFIG, **words) as (port, (_, worker)), ExitStack() as undo:
        for count in STEPS:
            for _ in range(count - max(found, default=0)):
                undo.callback(reader(port).close)
            wait_until_still(worker)
            found[count] = read_memory(worker)
    held = {count: size for count, size in found.items() if count}
    each = statistics.linear_regression(list(held), list(held.values())).slope
    tables, row = brotli_tables(level), {"level": level, "answer_bytes": round(each)}
    row |= {"tables_bytes": tables, "rest_bytes": round(each) - tables}
    return {**row, "bytes_by_answers": found}


def main() -> None:
    """Measure the levels that are named, or all; write, and say what is beside the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("levels", nargs="*", type=int, default=list(LEVELS))
    given = parser.parse_args()
    if not brotli_module():
        raise SystemExit("error: nginx has no module for brotli\nhint: run `scripts/edges`")
    with tempfile.TemporaryDirectory(prefix="holdfast-brotli-") as folder:
        Path(folder).chmod(0o755)
        put_text(Path(folder))
        rows = [measured(level, folder) for level in given.levels]
    told = {"text_bytes": TEXT_BYTES, "planned_rest_bytes": BROTLI_REST}
    save("brotli-answers", {**told, "rows": rows})
    for row in rows:
        said = "level {level}: {answer_bytes:,} B an answer, {rest_bytes:,} B beside the tables"
        print(said.format(**row))
    for row in rows:
        planned = row["tables_bytes"] + BROTLI_REST
        if row["answer_bytes"] > MOST_OVER * planned:
            raise SystemExit(f"error: level {row['level']}: {planned:,} B are planned")


if __name__ == "__main__":
    main()
