"""Measures what TLS costs nginx and HAProxy: the numbers that plans are made from.

    scripts/bench edge_tls_profile [nginx] [haproxy] [--facts]

Before one plain ASGI app, plain and over TLS 1.3 with a certificate of P-256, so many clients
shake hands, are answered once and stay idle; then each has a request in flight. What an end over
TLS takes more than a plain one is between the two sizes, so that no process's base is in it.
Handshakes are new ones, resumed ones, and new ones of a certificate that nginx reads for each, in
turns, less what a connection without TLS takes; as processor time of the edge's processes. Requests
of HTTP/2 are held by h2load, a hundred a client. Writes
bench/results/edge-tls-profile.json; `--facts` writes its rows into facts/profiles.json.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import socket
import ssl
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import msgspec
from _facts import tls_rows, write_rows
from _rig import RESULTS, busy_s, need, save, wait

from holdfast.cli.context import Options, plan_path
from holdfast.cli.up import stack_config
from holdfast.model.front.tls import Tls
from holdfast.proof.machine import Group
from holdfast.sizing.layout import Program
from holdfast.stack.limits import raise_nofile
from holdfast.stack.process import StackProcess

REPOSITORY = Path(__file__).parent.parent
SIZES = (2_000, 6_000)
MEAN_S = 3_600.0
"""No request that is held ends before it was measured."""
ROUNDS, HANDSHAKES, AT_ONCE = 5, 400, 16
STREAMED, STREAMS = (1_000, 4_000), 100
A_BATCH, END = 500, b"waited\n"
HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
HELD = b"GET /wait/1 HTTP/1.1\r\nhost: x\r\n\r\n"


def client() -> ssl.SSLContext:
    """A client that trusts everybody."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


@contextlib.contextmanager
def stack(program: Program, in_flight: int, tls: Tls | None) -> Iterator[StackProcess]:
    """The app behind the edge, sized for so many requests and as many idle clients."""
    folder = str(REPOSITORY / "examples" / "wait")
    told = {"mean_time_s": MEAN_S, "edge": program, "here": True}  # idle clients may stay
    options = Options("wait:app", folder, None, in_flight, in_flight, **told)
    planned = plan_path(options)
    front = msgspec.structs.replace(planned.project.edge, tls=tls)
    project = msgspec.structs.replace(planned.project, edge=front)
    planned = msgspec.structs.replace(planned, project=project)
    if tls is not None:
        with_tls = msgspec.structs.replace(options, tls=True)
        planned = msgspec.structs.replace(planned, path=plan_path(with_tls).path)
    config = stack_config(planned, address="127.0.0.1", port=0, grace_s=0.1)
    with StackProcess(config) as made:
        made.start()
        made.wait_until_ready(60)
        yield made


def used(made: StackProcess) -> tuple[int, float]:
    """Anonymous bytes and processor seconds of the edge."""
    return Group().read(made.edge_pids()).bytes, busy_s(made.edge_pids())


def ask(one: socket.socket) -> None:
    """One request that is answered at once."""
    one.sendall(HEALTH)
    answer = b""
    while not answer.endswith(END):
        answer += one.recv(4_096)
    assert b" 200 " in answer


def opened(port: int, context: ssl.SSLContext | None) -> socket.socket:
    """A client that has been answered once."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    one = plain if context is None else context.wrap_socket(plain)
    ask(one)
    return one


def held(program: Program, clients: int, tls: Tls | None) -> dict[str, float]:
    """Bytes of the edge with so many idle clients, and with a request of each."""
    context = None if tls is None else client()
    with stack(program, clients, tls) as made, contextlib.ExitStack() as undo:
        before = used(made)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            crowd = list(pool.map(lambda _: opened(made.port, context), range(clients)))
        for one in crowd:
            undo.callback(one.close)
        idle = used(made)
        for at, one in enumerate(crowd, 1):
            one.sendall(HELD)
            if not at % A_BATCH or at == clients:  # no more at once than the accept queues take
                wait(functools.partial(is_held, made, at), what=f"{at} in flight")
        busy = used(made)
    return {
        "clients": clients,
        "base_bytes": before[0],
        "idle_bytes": idle[0],
        "held_bytes": busy[0],
        "cpu_s": round((idle[1] - before[1]) / clients, 7),
    }


def streamed(program: Program, requests: int) -> dict[str, int]:
    """Bytes of the edge with so many requests of HTTP/2 clients that have `STREAMS` each."""
    load = need("h2load", "nghttp2-client")
    with stack(program, requests, Tls(self_signed=True)) as made:
        before = used(made)[0]
        counts = ["-n", str(requests), "-c", str(requests // STREAMS), "-m", str(STREAMS)]
        asked = [load, *counts, f"https://127.0.0.1:{made.port}/wait/1"]
        with subprocess.Popen(asked, stdout=subprocess.DEVNULL) as clients:
            try:
                wait(functools.partial(is_held, made, requests), what=f"{requests} streams")
                held_bytes = used(made)[0]
            finally:
                clients.kill()
    return {"requests": requests, "base_bytes": before, "held_bytes": held_bytes}


def is_held(made: StackProcess, count: int) -> bool:
    """Whether so many are in flight."""
    return made.gauge.in_flight() == count


def handshakes(made: StackProcess, *, resume: bool = False, plain: bool = False) -> float:
    """Processor seconds of the edge for one connection with a request, its handshake of a kind;
    several clients at a time, as when all come again at once."""
    context = client()
    session = None
    if resume:
        with opened(made.port, context) as first:
            assert isinstance(first, ssl.SSLSocket)
            session = first.session

    def come(_: int) -> None:
        one = socket.create_connection(("127.0.0.1", made.port), timeout=60)
        if not plain:
            one = context.wrap_socket(one, session=session)
            assert one.session_reused == resume
        with one:
            ask(one)

    before = used(made)[1]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(come, range(HANDSHAKES)))
    return (used(made)[1] - before) / HANDSHAKES


def shaken(program: Program, pair: Tls) -> dict[str, list[float]]:
    """Processor seconds of each kind of handshake, a round of each after the other."""
    found: dict[str, list[float]] = {"plain": [], "full": [], "resumed": [], "loaded": []}
    with (
        stack(program, 100, None) as plain,
        stack(program, 100, Tls(self_signed=True)) as kept,
        stack(program, 100, pair) as read,
    ):
        for _ in range(ROUNDS):
            found["plain"].append(handshakes(plain, plain=True))
            found["full"].append(handshakes(kept))
            found["resumed"].append(handshakes(kept, resume=True))
            found["loaded"].append(handshakes(read))
    return found


def costs(
    runs: list[dict[str, Any]],
    rounds: dict[str, list[float]],
    streams: list[dict[str, int]],
) -> dict[str, float]:
    """The row of the facts: between the sizes, over TLS less plain; handshakes by medians.

    A request of HTTP/2: what it takes more than one of HTTP/1.1 and its share of a connection.
    """
    each: dict[tuple[str, str], float] = {}
    for kind in ("plain", "tls"):
        low, high = (run[kind] for run in runs)
        for state in ("idle_bytes", "held_bytes"):
            grown = (high[state] - high["base_bytes"]) - (low[state] - low["base_bytes"])
            each[kind, state] = grown / (high["clients"] - low["clients"])
    more = {s: each["tls", s] - each["plain", s] for s in ("idle_bytes", "held_bytes")}
    plain, full, resumed, loaded = (statistics.median(rounds[name]) for name in rounds)
    low, high = streams
    grown = (high["held_bytes"] - high["base_bytes"]) - (low["held_bytes"] - low["base_bytes"])
    stream = grown / (high["requests"] - low["requests"])
    stream -= each["plain", "held_bytes"] + max(more.values()) / STREAMS
    return {
        "tls_connection_bytes": round(max(more.values())),
        "h2_request_bytes": round(max(0.0, stream)),
        "tls_idle_more_bytes": round(more["idle_bytes"]),
        "tls_held_more_bytes": round(more["held_bytes"]),
        "tls_handshake_cpu_s": round(full - plain, 7),
        "tls_resumed_cpu_s": round(resumed - plain, 7),
        "tls_load_cpu_s": round(max(0.0, loaded - full), 7),
    }


def pair_in(folder: str) -> Tls:
    """A pair of files, which the edge is to watch."""
    chain, key = f"{folder}/chain.pem", f"{folder}/key.pem"
    argv = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-subj", "/CN=bench"]
    argv += ["-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", key, "-out", chain]
    subprocess.run(argv, check=True, capture_output=True)
    return Tls(chain, key)


def main() -> None:
    """Measure both edges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", default=list(get_args(Program)))
    parser.add_argument("--facts", action="store_true")
    given = parser.parse_args()
    raise_nofile(max(SIZES) + 200)
    place = RESULTS / "edge-tls-profile.json"
    before = json.loads(place.read_text()) if place.exists() else {}
    found: dict[str, Any] = {name: before[name] for name in get_args(Program) if name in before}
    with tempfile.TemporaryDirectory() as folder:
        for program in given.programs:
            rounds = shaken(program, pair_in(folder))
            runs = [
                {
                    "plain": held(program, size, None),
                    "tls": held(program, size, Tls(self_signed=True)),
                }
                for size in SIZES
            ]
            streams = [streamed(program, size) for size in STREAMED]
            taken = costs(runs, rounds, streams)
            found[program] = {**taken, "runs": runs, "rounds": rounds, "streams": streams}
            save("edge-tls-profile", found)
            print(program, taken)
    if given.facts:
        write_rows(tls_rows())


if __name__ == "__main__":
    main()
