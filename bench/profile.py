"""Measures what one request costs, at small sizes: the numbers that plans are made from.

    scripts/bench profile shop|wait

Holds two loads on one worker and takes the difference, so that what does not depend on the load
falls out; a third run with idle clients gives theirs, a fourth with short times the processor's
share. Writes bench/results/profile-APP.json with
every raw result, and prints the [profile] table for the app's holdfast.toml. Sizes that are
predicted from it (50,000 and more) are never among those measured here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
RESULTS = REPOSITORY / "bench" / "results"
LOW, HIGH = 1_000, 5_000
IDLE = 4_000
HOLD_S = 20
MEAN_S = 10.0
"""Slow enough that memory is that of held requests, not of requests that come and go."""
BUSY_MEAN_S = 2.5
"""5,000 in flight at a mean time of 2.5 s are 2,000 a second: about what two cores can do."""


def held(app: str, in_flight: int, idle: int, mean_s: float) -> dict[str, Any]:
    """One proof of the example, without its series and histograms."""
    folder = str(REPOSITORY / "examples" / app)
    words = f"prove {app}:app --app-dir {folder} -n {in_flight} --idle {idle} --json --edge none"
    argv = [sys.executable, "-m", "holdfast", *words.split()]
    argv += ["--mean-time", f"{mean_s}s", "--hold", f"{HOLD_S}s"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=False, timeout=300)
    result: dict[str, Any] = json.loads(done.stdout)
    if result["verdict"] != "held":
        raise SystemExit(f"{app} at {in_flight}: {result['verdict']}: {result['reasons']}")
    return {k: v for k, v in result.items() if k not in ("series", "histograms")}


def fit(
    low: dict[str, Any], high: dict[str, Any], idle: dict[str, Any], busy: dict[str, Any]
) -> dict[str, float]:
    """The profile of worker, services, generator and kernel, by differences between the runs."""

    def per(part: Any) -> float:
        return (part(high) - part(low)) / (_clients(high) - _clients(low))

    def per_idle(part: Any) -> float:
        return (part(idle) - part(low)) / (idle["idle"] - low["idle"])

    def workers(r: dict[str, Any]) -> float:
        return float(r["memory"]["workers"])

    def services(r: dict[str, Any]) -> float:
        return float(r["memory"]["groups"].get("services", 0))

    def generator(r: dict[str, Any]) -> float:
        return float(r["memory"]["generator"])

    answers = busy["rate"] * busy["hold_s"]
    cpu = busy["cpu"]
    return {
        "worker_request_bytes": per(workers),
        "worker_base_bytes": workers(low) - per(workers) * _clients(low),
        "worker_idle_bytes": per_idle(workers),
        "worker_request_cpu_s": cpu["workers_s"] / answers,
        "service_request_bytes": per(services),
        "service_base_bytes": services(low) - per(services) * _clients(low),
        "service_request_cpu_s": cpu["groups_s"].get("services", 0.0) / answers,
        "generator_client_bytes": per(generator),
        "generator_base_bytes": generator(low) - per(generator) * _clients(low),
        "generator_request_cpu_s": cpu["generator_s"] / answers,
    }


def _clients(result: dict[str, Any]) -> int:
    return int(result["witnesses"]["client"])


def main() -> None:
    """Measure the app named on the command line."""
    app = sys.argv[1] if len(sys.argv) > 1 else "wait"
    runs = [
        held(app, LOW, 0, MEAN_S),
        held(app, HIGH, 0, MEAN_S),
        held(app, LOW, IDLE, MEAN_S),
        held(app, HIGH, 0, BUSY_MEAN_S),
    ]
    found = fit(*runs)
    target = RESULTS / f"profile-{app}.json"
    target.write_text(json.dumps({"app": app, "profile": found, "runs": runs}, indent=1) + "\n")
    for name, value in found.items():
        print(f"{name:<26} {value:,.9g}")
    print(f"written to {target.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()
