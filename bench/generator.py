"""Measures the generator beside wrk: requests per CPU second, each process's own rusage.

    scripts/bench generator

nginx answers `return 200` on one core, the load has the other. Interleaved rounds of wrk, the
closed loop, and the open loop at OPEN_SHARE of the closed loop's requests a second in that round
and at HALF of them; the same numbers of connections, keep-alive. wrk takes answers apart and checks
the status; the generator checks status, length and, where it is said, a nonce. CPU seconds are
those of the whole process, from its start to its end. Writes bench/results/generator.json after
each round.
"""

from __future__ import annotations

import statistics
from typing import Any

from _rig import closed, nginx, paced, save, wrk

ROUNDS = 9
SECONDS = 2
CONNECTIONS = (256, 64, 1_000)
OPEN_CONNECTIONS = 256
OPEN_SHARE = 0.7
HALF = 0.5
NONCE = {"path": "/nonce", "nonce": "require"}


def ratio(rounds: list[dict[str, Any]], name: str, beside: str) -> float:
    """The median of the rounds' quotients of requests per CPU second."""
    return statistics.median(
        one[name]["per_cpu_s"] / one[beside]["per_cpu_s"] for one in rounds if name in one
    )


def late_at_half(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The p99 of how late requests went at half of capacity: the median of the rounds, and each."""
    late = [round(one["half_poisson"]["late_us_p99"]) for one in rounds]
    return {"median": statistics.median(late), "rounds": late}


def one_round(port: int, connections: int) -> dict[str, Any]:
    """One run of each, one after the other."""
    found = {"wrk": wrk(port, connections, SECONDS), "closed": closed(port, connections, SECONDS)}
    if connections == OPEN_CONNECTIONS:
        most = found["closed"]["requests"] / SECONDS
        found["closed_nonce"] = closed(port, connections, SECONDS, **NONCE)
        found["open"] = paced(port, round(OPEN_SHARE * most), connections, SECONDS)
        half = round(HALF * most)
        found["half_poisson"] = paced(port, half, connections, SECONDS, arrivals="poisson")
    return found


def main() -> None:
    """Measure, write, and say the medians."""
    result: dict[str, Any] = {"ratios_to_wrk": {}, "rounds": {}}
    with nginx() as (port, _):
        for connections in CONNECTIONS:
            rounds = result["rounds"][str(connections)] = []
            for _ in range(ROUNDS):
                rounds.append(one_round(port, connections))
                names = [name for name in rounds[0] if name != "wrk"]
                medians = {name: round(ratio(rounds, name, "wrk"), 3) for name in names}
                result["ratios_to_wrk"][str(connections)] = medians
                if connections == OPEN_CONNECTIONS:
                    result["half_late_us_p99"] = late_at_half(rounds)
                save("generator", result)
            print(f"{connections} connections, requests per CPU second over wrk's: {medians}")
    print(f"lag at half capacity, p99 in us: {result['half_late_us_p99']}")


if __name__ == "__main__":
    main()
