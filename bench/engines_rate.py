"""Requests a second: each engine behind each edge and direct, and the guides' configurations.

    scripts/bench engines_rate [ROW ...] [--rounds 9] [--seconds 1.5] [--resume] [--facts]

All stacks are started first and stay; then rounds, whose order alternates, of a closed loop over
CONNECTIONS keep-alive connections to one after the other. Load and stack share all cores. "Hello"
is the waiting apps' `/health`, which answers at once; ours are sized as for IN_FLIGHT. The shop's
`/items/{id}` behind our default stands beside its WSGI twin (bench/_shop_wsgi.py) in the
DigitalOcean guide's configuration, with the same upstream, and Flask and urllib3 from PyPI in a
folder of their own. ROW, a row's name or the beginning of one, starts and measures those alone;
`--resume` keeps what the result has and measures what is missing. wrk's one round is a check of
ours. `--facts` writes the table that `--prefer throughput` chooses from, of the whole result.
Writes bench/results/engines-rate.json after each row. 35 rows: 14 minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from _facts import write_rates
from _guides import APPS, FULL, WAIT, guide
from _ours import Server, ours, sized_for
from _rig import EVERY_CORE, RESULTS, busy_s, load_plan, save, wait, wrk
from _rounds import beats, medians_of

from holdfast.cli.engines import PACKAGES
from holdfast.cli.services import free_ports
from holdfast.facts.rates import read_rates
from holdfast.load.fleet import Fleet
from holdfast.proof.machine import Machine
from holdfast.proof.profile_file import versions_here
from holdfast.wire import ENGINES

TARGET = RESULTS / "engines-rate.json"
SHOP = WAIT.parent / "shop"
TWIN = ("Flask==3.1.3", "urllib3==2.7.0")
"""What WSGI apps are written with; neither is of ours."""
CONNECTIONS: Final = 64
WARM_S, LOOK_S = 0.2, 3.0
UPSTREAM_MEAN_S = 0.005
LONGER: Final = 4
"""The shop's rows are measured so many times as long: what they answer takes milliseconds."""

WAYS: Final = ("none", "nginx", "haproxy")


class Row(NamedTuple):
    """What is measured: of which interface, what runs it before what, and how it is started."""

    name: str
    interface: str
    engine: str
    edge: str
    path: str
    start: Callable[[], AbstractContextManager[Server]]

    def told(self) -> dict[str, Any]:
        """The row as the result has it."""
        told = {"interface": self.interface, "engine": self.engine, "edge": self.edge}
        return told | {"in_flight": sized_for(self.engine)} if self.engine else told


@contextmanager
def upstream() -> Iterator[str]:
    """The shop's upstream, which answers soon, as the shop is told of it."""
    ports = ",".join(map(str, free_ports(2)))
    words = f"--ports {ports} --mean {UPSTREAM_MEAN_S} --sigma 0.25 --seed 7".split()
    argv = [sys.executable, "upstream.py", *words]
    with subprocess.Popen(argv, cwd=SHOP, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "ready" not in process.stdout.readline():
            if process.poll() is not None:
                raise SystemExit("error: the shop's upstream did not start")
        try:
            yield ",".join(f"http://127.0.0.1:{port}" for port in ports.split(","))
        finally:
            process.terminate()


@contextmanager
def shop() -> Iterator[Server]:
    """The shop behind our default: uvicorn behind nginx."""
    with ExitStack() as own:
        env = {
            "SHOP_UPSTREAM": own.enter_context(upstream()),
            "SHOP_DATA": own.enter_context(tempfile.TemporaryDirectory(prefix="shop-")),
        }
        yield own.enter_context(ours("uvicorn", "nginx", "shop:app", SHOP, **env))


@contextmanager
def twin() -> Iterator[Server]:
    """The shop's WSGI twin in the DigitalOcean guide's configuration."""
    with upstream() as told, tempfile.TemporaryDirectory(prefix="twin-") as folder:
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--target", folder, *TWIN]
        subprocess.run(pip, check=True, timeout=120)
        path = f"{folder}:{Path(__file__).parent}"
        env = {"SHOP_UPSTREAM": told, "PYTHONPATH": path}
        with guide("digitalocean", "_shop_wsgi:app", env) as made:
            yield made


def rows() -> list[Row]:
    """Every row: ours, the guides', and the two shops."""
    found = [
        Row(
            f"{engine}/{edge}",
            row.interface,
            engine,
            edge,
            "/health",
            partial(ours, engine, edge, APPS[row.interface], WAIT),
        )
        for engine, row in ENGINES.items()
        for edge in WAYS
    ]
    found += [
        Row(f"guide/{name}", interface, "", name, "/health", partial(guide, name))
        for name, (interface, _) in FULL.items()
    ]
    asks = "/items/{id}"
    return [
        *found,
        Row("shop/ours", "ASGI", "uvicorn", "nginx", asks, shop),
        Row("shop/digitalocean", "WSGI", "", "digitalocean", asks, twin),
    ]


def measure(row: Row, server: Server, seconds: float) -> dict[str, Any]:
    """One run of the load: requests a second, CPU of edge and workers a request, and failures."""
    port, groups = server
    plan = load_plan(port, CONNECTIONS, path=row.path, ids=1_000_000, length=None)
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(CONNECTIONS, 0)
        wait(lambda: fleet.read().answered >= CONNECTIONS, what=f"{row.name} to answer")
        time.sleep(WARM_S)
        first, busy = fleet.read(), {name: busy_s(pids) for name, pids in groups.items()}
        time.sleep(seconds)
        last = fleet.read()
        used = {name: busy_s(pids) - busy[name] for name, pids in groups.items()}
        totals = fleet.let_go(5.0)
    answered = last.answered - first.answered
    used["generator"] = last.cpu_s[0] - first.cpu_s[0]
    if totals.failed:
        print(f"{row.name}: {totals.failed} failed: {totals.first_error}", file=sys.stderr)
    cpu = {f"{name}_us": round(cpu_s / max(1, answered) * 1e6, 1) for name, cpu_s in used.items()}
    rate = round(answered / (last.at_s - first.at_s), 1)
    return {"requests_s": rate, "failed": totals.failed} | cpu


def idle_share() -> float:
    """The part of all cores that is busy while all stacks are there and nobody asks anything."""
    first = Machine.read()
    time.sleep(LOOK_S)
    return round(Machine.read().busy(first), 3)


def same_answers(servers: dict[str, Server]) -> None:
    """End the bench where the shop and its twin do not say the same."""
    for number in (0, 4_711, 999_999):
        said = []
        for name in ("shop/ours", "shop/digitalocean"):
            url = f"http://127.0.0.1:{servers[name][0]}/items/{number}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                said.append(json.load(answer))
        if said[0] != said[1]:
            raise SystemExit(f"error: the twin says {said[1]}, the shop {said[0]}")


def summed(result: dict[str, Any]) -> None:
    """Medians of the rounds, and of each interface the fastest with whom it did not beat.

    Beside it the row that was the fastest in the run of which the facts are, and who beats it here.
    """
    rounds, told = result["rounds"], result["rows"]
    runs = {name: [one[name] for one in rounds if name in one] for name in told}
    names = [name for name in runs if runs[name]]
    medians = result["medians"] = {name: medians_of(runs[name]) for name in names}
    result["fastest"], result["chosen_before"] = {}, {}
    for interface in APPS:
        mine = [n for n in names if told[n]["interface"] == interface and is_hello(told[n], n)]
        if mine:
            best = max(mine, key=lambda name: float(medians[name]["requests_s"]))
            level = [n for n in mine if n != best and not beats(rounds, best, n)]
            result["fastest"][interface] = {"row": best, "within_noise": level}
            chosen = chosen_by_facts(interface)
            faster = [n for n in mine if chosen in mine and beats(rounds, n, chosen)]
            result["chosen_before"][interface] = {"row": chosen, "beaten_by": faster}
    if {"shop/ours", "shop/digitalocean"} <= set(names):
        over = [
            one["shop/ours"]["requests_s"] / one["shop/digitalocean"]["requests_s"]
            for one in rounds
            if {"shop/ours", "shop/digitalocean"} <= set(one)
        ]
        median = round(statistics.median(over), 2)
        result["shop_over_digitalocean"] = {"median": median, "rounds": [round(x, 2) for x in over]}


def chosen_by_facts(interface: str) -> str:
    """The row that `--prefer throughput` chooses now, from a run before this one."""
    rows = [rate for rate in read_rates().rows if rate.interface == interface]
    best = max(rows, key=lambda rate: rate.requests_s)
    return f"{best.engine}/{best.edge}"


def is_hello(told: dict[str, Any], name: str) -> bool:
    """Whether a row is of an engine of ours that says hello."""
    return bool(told["engine"]) and not name.startswith("shop/")


def before(wanted: list[Row], *, resume: bool) -> dict[str, Any]:
    """The result so far: what it has of rows that are not measured now, and all where resumed."""
    empty: dict[str, Any] = {"connections": CONNECTIONS, "rows": {}, "rounds": [], "wrk": {}}
    kept = json.loads(TARGET.read_text()) if TARGET.exists() else empty
    found = {key: kept[key] for key in empty}
    if not resume:
        again = {row.name for row in wanted}
        left = [{n: run for n, run in one.items() if n not in again} for one in found["rounds"]]
        found["rounds"] = [one for one in left if one]
        found["wrk"] = {name: run for name, run in found["wrk"].items() if name not in again}
    again = {row.name for row in wanted} | set(found["rows"])
    found["rows"] = {row.name: row.told() for row in rows() if row.name in again}
    found["packages"] = versions_here(
        tuple(sorted({n for each in PACKAGES.values() for n in each}))
    )
    return found


def main() -> None:
    """Start what is asked for, measure in rounds, write, and say the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", metavar="ROW")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--facts", action="store_true")
    given = parser.parse_args()
    wanted = [row for row in rows() if not given.only or row.name.startswith(tuple(given.only))]
    result = before(wanted, resume=given.resume)
    with ExitStack() as cleanup:
        servers = {}
        for row in wanted:
            servers[row.name] = cleanup.enter_context(row.start())
            print(f"started {row.name}", file=sys.stderr, flush=True)
        if {"shop/ours", "shop/digitalocean"} <= set(servers):
            same_answers(servers)
        result["idle_busy"] = idle_share()
        result["rounds"] += [{} for _ in range(given.rounds - len(result["rounds"]))]
        for number, one in enumerate(result["rounds"][: given.rounds]):
            for row in wanted if number % 2 == 0 else reversed(wanted):
                if row.name not in one:
                    seconds = given.seconds * (LONGER if "{id}" in row.path else 1)
                    one[row.name] = measure(row, servers[row.name], seconds)
                    save("engines-rate", result)
            summed(result)
            save("engines-rate", result)
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr, flush=True)
        for row in wanted:
            if "{id}" not in row.path and row.name not in result["wrk"]:
                made = wrk(servers[row.name][0], CONNECTIONS, 1.0, row.path, EVERY_CORE)
                result["wrk"][row.name] = round(made["requests"] / 1.0, 1)
    save("engines-rate", result)
    if given.facts:
        write_rates()
    for name, found in result["medians"].items():
        print(f"{name}: {found}")
    print(result["fastest"], result.get("shop_over_digitalocean", ""))


if __name__ == "__main__":
    main()
