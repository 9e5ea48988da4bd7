"""20,000 in flight on each engine that can hold them, behind each edge and direct, for 30 s.

    scripts/bench engines_20k [ROW ...] [--held 20000] [--hold 30] [--resume]

One after the other, as `prove` runs them, on the waiting app of the engine's interface: verdict,
failures, the least witness, and what the plan says of memory beside what was measured, of the
whole path and of workers and edge. What `plan` says of engines that cannot
hold so many is a row too. ROW, a row's name (`uvicorn/nginx`) or the beginning of one, runs those
alone; `--resume` skips rows that have held at this size. Writes bench/results/engines-20k.json
after each row. 24 rows of 50 s: 20 minutes. Needs both edges, and the machine alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

import msgspec
from _guides import APPS, WAIT
from _rig import RESULTS, save

from holdfast.cli.context import Options, Planned, plan_path
from holdfast.cli.trial import Trial, run_trial
from holdfast.cli.verdict import plan_with_surplus
from holdfast.model.errors import HoldfastError, Impossible
from holdfast.proof.result import Result
from holdfast.wire import ENGINES

TARGET = RESULTS / "engines-20k.json"
HOLDING: Final = (
    *("uvicorn", "hypercorn", "granian", "gunicorn-asgi", "uvicorn-worker"),
    *("gevent", "gthread", "tornado"),
)
OTHERS: Final = tuple(name for name in ENGINES if name not in HOLDING)
WAYS: Final = ("none", "nginx", "haproxy")
ENDS: Final = ("socket_end_bytes", "unix_end_bytes")
GRACE_S: Final = 2.0
KEPT: Final = ("verdict", "reasons", "held", "held_by", "failed", "unfinished", "answered", "rate")
OF_IT: Final = ("opened_s", "hold_s", "errors", "first_error", "cpu", "memory", "memory_bytes")


def options(engine: str, edge: str, held: int) -> Options:
    """As `prove APP -n HELD --engine --edge` has them."""
    app = APPS[ENGINES[engine].interface]
    return Options(app, str(WAIT), None, held, here=True, edge=edge, engine=engine)


def refused(engine: str, held: int) -> dict[str, Any]:
    """What `plan` says of an engine that is not held here: how many fit, or what it would take."""
    try:
        planned = plan_path(msgspec.structs.replace(options(engine, "none", held), here=False))
    except Impossible as no:
        return {"refused": no.fault, "fits": no.fits}
    workers = planned.path.hop("workers").processes
    return {"workers": workers, "memory_bytes": planned.memory_bytes}


def held(engine: str, edge: str, size: int, hold_s: float) -> dict[str, Any]:
    """One proof, and the plan's memory beside it."""
    planned = plan_with_surplus(options(engine, edge, size))
    said = planned.memory_by_hop()
    found: dict[str, Any] = {
        "in_flight": size,
        "clients": planned.demand.in_flight,
        "mean_time_s": planned.mean_time.number,
        "workers": planned.path.hop("workers").processes,
        "planned": {name: round(number) for name, number in said.items()},
    }
    try:
        result = run_trial(Trial(planned, size, hold_s, GRACE_S, quiet=True))
    except HoldfastError as broken:
        return found | {"verdict": "broken", "reasons": [str(broken)]}
    told = msgspec.to_builtins(result)
    found |= {name: told[name] for name in (*KEPT, *OF_IT)}
    return found | {"over_planned": compared(result, planned)}


def programs(planned: Planned) -> dict[str, float]:
    """Bytes of each hop's own processes in the plan: what it says without the sockets' ends."""
    kernel = planned.path.hop("kernel")
    free = tuple(
        msgspec.structs.replace(value, value=0) if value.setting in ENDS else value
        for value in kernel.values
    )
    hops = [hop for hop in planned.path.hops if hop is not kernel]
    bare = msgspec.structs.replace(kernel, values=free)
    path = msgspec.structs.replace(planned.path, hops=(*hops, bare))
    return msgspec.structs.replace(planned, path=path).memory_by_hop()


def compared(result: Result, planned: Planned) -> dict[str, float]:
    """Measured over planned, less 1: of the whole path, and of the processes of workers and edge.

    `machine` is what grew on the whole machine, the slab that counts as available with it, less the
    supervisor; `path` the same by its named parts, which no other program's growth is in.
    """
    memory, whole, own = result.memory, planned.memory_bytes, programs(planned)
    edge, supervisor = memory.groups.get("edge", 0), memory.groups["supervisor"]
    named = memory.workers + memory.generator + memory.kernel + memory.reclaimable + edge
    found = {
        "machine": (result.memory_bytes + memory.reclaimable - supervisor) / whole,
        "path": named / whole,
        "workers": memory.workers / own["workers"],
    }
    found |= {"edge": edge / own["edge"]} if edge else {}
    return {name: round(share - 1, 4) for name, share in found.items()}


def main() -> int:
    """Hold the rows asked for; 1 where one was not held, or failed a request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", metavar="ROW")
    parser.add_argument("--held", type=int, default=20_000)
    parser.add_argument("--hold", type=float, default=30.0)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    result: dict[str, Any] = {"rows": {}, "refused": {}}
    if TARGET.exists():
        result = {key: json.loads(TARGET.read_text())[key] for key in result}
    result["refused"] = {name: refused(name, given.held) for name in OTHERS}
    wrong = 0
    for engine, edge in ((engine, edge) for engine in HOLDING for edge in WAYS):
        name = f"{engine}/{edge}"
        there = result["rows"].get(name, {})
        done = given.resume and there.get("verdict") == "held" and there["in_flight"] == given.held
        if done or (given.only and not name.startswith(tuple(given.only))):
            continue
        row = result["rows"][name] = held(engine, edge, given.held, given.hold)
        save("engines-20k", result)
        wrong += row["verdict"] != "held" or row["failed"] > 0
        said = ("verdict", "reasons", "held", "failed", "opened_s", "over_planned", "planned")
        print(name, {key: row.get(key) for key in said}, flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
