"""Measures how late the generator sends at half of its capacity by rate.

    scripts/bench lag

nginx answers `return 200` on one core, one generator process has the other. Its capacity is what
the open loop does in a CPU second, measured in each round near that rate; half of it is then sent,
at constant distances and by Poisson. Beside each lag is the time that the process was ready to run
and the machine did not let it (schedstat), which no generator can make up for. Writes
bench/results/lag.json after each round.
"""

from __future__ import annotations

import statistics
from typing import Any

from _rig import closed, nginx, paced, save
from generator import OPEN_CONNECTIONS, OPEN_SHARE, ROUNDS, SECONDS


def one_round(port: int) -> dict[str, Any]:
    """The capacity, then half of it both ways."""
    most = closed(port, OPEN_CONNECTIONS, SECONDS)["requests"] / SECONDS
    full = paced(port, round(OPEN_SHARE * most), OPEN_CONNECTIONS, SECONDS)
    half = round(full["per_cpu_s"] / 2)
    return {"full": full} | {
        arrivals: paced(port, half, OPEN_CONNECTIONS, SECONDS, arrivals=arrivals)
        for arrivals in ("constant", "poisson")
    }


def main() -> None:
    """Measure, write, and say the medians and each round."""
    rounds: list[dict[str, Any]] = []
    with nginx() as (port, _):
        for _ in range(ROUNDS):
            rounds.append(one_round(port))
            late = {
                name: [round(one[name]["late_us_p99"]) for one in rounds]
                for name in ("constant", "poisson")
            }
            medians = {name: statistics.median(all_of) for name, all_of in late.items()}
            rate = statistics.median(one["poisson"]["rate"] for one in rounds)
            half = {"rate": rate, "late_us_p99": medians, "late_us_p99_rounds": late}
            save("lag", {"connections": OPEN_CONNECTIONS, "half": half, "rounds": rounds})
    print(f"lag at half capacity ({rate:.0f}/s), p99 in us: {medians}, rounds {late}")


if __name__ == "__main__":
    main()
