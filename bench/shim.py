"""Measures the count in the shim: the same engine and app with the shim around the app and without.

    scripts/bench shim

Three uvicorn servers with the settings of a worker on one core: without the shim, with it, and with
it and places to let requests in to. The generator in a closed loop on the other core; interleaved,
in an order that alternates. CPU is the server's alone, as the scheduler counts it in nanoseconds,
over a run of the load. `plain`: no request carries a nonce. `nonce`: each does, and the shim echoes
it. Writes bench/results/shim.json after each round.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from _rig import SERVER_CORE, closed, free_port, save, scheduled_s, wait

PAIRS = 9
SECONDS = 2
CONNECTIONS = 64
KINDS = ("bare", "shim", "places")
NONCES = {"plain": "off", "nonce": "check"}
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"6")]

Call = Callable[..., Awaitable[None]]


async def app(scope: dict[str, Any], receive: Call, send: Call) -> None:
    """Answer at once."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"hello\n"})


def serve(kind: str, port: int, folder: str) -> None:
    """Serve the app as a worker does, bare or in the shim with a gauge of its own."""
    import uvicorn

    from holdfast.wire import Gauge, Places
    from holdfast.worker.collector import settle
    from holdfast.worker.engines.uvicorn import make_config
    from holdfast.worker.shim import Shim

    config = make_config(app, behind_edge=False, backlog=4_096, keep_alive_s=75, grace_s=30)
    config.lifespan = "off"
    config.load()
    if kind != "bare":
        words = Gauge(f"{folder}/gauge", create_rows=1).words(0)
        inner: Any = config.loaded_app
        places = Places(4 * CONNECTIONS, CONNECTIONS, 1.0, 1, ("/health",))
        told = places if kind == "places" else None
        config.loaded_app = Shim(inner, inner, words, f"{folder}/probe", {}, told)
    settle(0)
    with socket.create_server(("127.0.0.1", port), backlog=4_096) as listener:
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def server(kind: str) -> Iterator[tuple[int, int]]:
    """A server in a process of its own, as (its port, its process id)."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="holdfast-shim-") as folder:
        argv = ["taskset", "-c", str(SERVER_CORE), sys.executable, __file__]
        process = subprocess.Popen([*argv, kind, str(port), folder])
        try:
            wait(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def measure(port: int, pid: int, nonce: str) -> dict[str, float]:
    """One run of the load: requests, and the CPU that the server took for them."""
    before = scheduled_s(pid)[0]
    requests = closed(port, CONNECTIONS, SECONDS, nonce=nonce)["requests"]
    used_s = scheduled_s(pid)[0] - before
    return {"requests": requests, "cpu_s": used_s, "per_cpu_s": requests / used_s}


def cost_us(pair: dict[str, dict[str, float]], kind: str = "shim") -> float:
    """What the shim adds to a request; `places`: with places, one of which is always free."""
    return 1e6 / pair[kind]["per_cpu_s"] - 1e6 / pair["bare"]["per_cpu_s"]


def main() -> None:
    """Measure, write, and say the medians."""
    pairs: dict[str, list[Any]] = {name: [] for name in NONCES}
    result: dict[str, Any] = {"connections": CONNECTIONS, "us_a_request": {}, "pairs": pairs}
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(server(kind)) for kind in KINDS}
        for number in range(PAIRS):
            for name, nonce in NONCES.items():
                order = sorted(servers, reverse=bool(number % 2))
                pairs[name].append({kind: measure(*servers[kind], nonce) for kind in order})
                medians = result["us_a_request"]
                medians[name] = round(statistics.median(map(cost_us, pairs[name])), 2)
                medians[f"{name}_places"] = round(
                    statistics.median(cost_us(pair, "places") for pair in pairs[name]), 2
                )
                medians[f"{name}_bare"] = round(
                    statistics.median(1e6 / pair["bare"]["per_cpu_s"] for pair in pairs[name]), 2
                )
            save("shim", result)
    print(f"the shim adds, in us a request: {result['us_a_request']}")
    for name in NONCES:
        print(f"{name}, each pair: {[round(cost_us(pair), 2) for pair in pairs[name]]}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        main()
