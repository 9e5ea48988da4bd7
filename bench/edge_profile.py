"""Measures what nginx and HAProxy take before the workers: the numbers that plans are made from.

    scripts/bench edge_profile [nginx] [haproxy] [--facts]

Holds loads in steps up to 2,000 and up to 6,000 in flight before one plain ASGI app, each with the
edge sized for the most of them: a line through the steps has what a request and an idle client
take, and the two lines' starts differ by what the edge sets aside for each connection that it is
configured for. Writes bench/results/edge-profile.json step by step; `--facts` writes its rows into
facts/profiles.json. Sizes that are predicted from it (50,000 and more) are not among those
measured. Two minutes a program.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, get_args

import msgspec
from _facts import edge_rows, write_rows
from _rig import RESULTS, about, save

from holdfast.cli.context import Options
from holdfast.cli.trial import Trial, run_trial
from holdfast.cli.verdict import plan_with_surplus
from holdfast.programs.kernel import PLACES
from holdfast.proof.climb import Climb
from holdfast.proof.plan import ProofPlan
from holdfast.proof.profile import fit_edge
from holdfast.sizing.layout import Program

REPOSITORY = Path(__file__).parent.parent
SIZES = (2_000, 6_000)
MEAN_S = 4.0
"""Most clients of a step were answered and asked again within it; 1,500 answers a second."""


def climbed(program: Program, in_flight: int) -> dict[str, Any]:
    """One run in steps: the edge's places and processes, and the line that fits its bytes."""
    options = Options(
        app="wait:app",
        app_dir=str(REPOSITORY / "examples" / "wait"),
        config=None,
        in_flight=in_flight,
        idle=in_flight // 2,
        mean_time_s=MEAN_S,
        here=True,
        edge=program,
    )
    planned = plan_with_surplus(options)
    climbs: list[Climb] = []

    def climb(plan: ProofPlan, **given: Any) -> Climb:
        climbs.append(Climb(plan, **given))
        return climbs[-1]

    result = run_trial(Trial(planned, in_flight, 3 * MEAN_S, 10.0, quiet=True, proof=climb))
    if result.verdict != "held":
        raise SystemExit(f"{program} at {in_flight}: {result.verdict}: {result.reasons}")
    edge = planned.path.hop("edge")
    places = edge.get(PLACES[program])
    assert places is not None
    return {
        "in_flight": in_flight,
        "version": edge.version,
        "processes": edge.processes,
        "places": int(places.number),
        "fit": msgspec.to_builtins(fit_edge(climbs[0].loads)),
        "loads": msgspec.to_builtins(climbs[0].loads),
    }


def costs(low: dict[str, Any], high: dict[str, Any]) -> dict[str, float]:
    """The row of the facts: a place's bytes by difference, the rest from the larger run."""
    starts = [_start(run) for run in (low, high)]
    place = (starts[1] - starts[0]) / (high["places"] - low["places"])
    fit = high["fit"]
    return {
        "base_bytes": round(starts[1] - place * high["places"]),
        "connection_bytes": round(place),
        "request_bytes": round(fit["request_bytes"]),
        "idle_bytes": round(fit["idle_bytes"]),
        "request_cpu_s": round(fit["request_cpu_s"], 7),
    }


def _start(run: dict[str, Any]) -> float:
    """Bytes without a request of each process that serves; nginx's master is divided among them."""
    processes = run["loads"][-1]["processes"]["edge"]
    return float(run["fit"]["base_bytes"]) * processes / int(run["processes"])


def main() -> None:
    """Measure the edges that are named, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", default=list(get_args(Program)))
    parser.add_argument("--facts", action="store_true")
    given = parser.parse_args()
    target = RESULTS / "edge-profile.json"
    kept = json.loads(target.read_text()) if target.exists() else {}
    found: dict[str, Any] = {name: kept[name] for name in get_args(Program) if name in kept}
    for program in given.programs:
        found[program] = {"runs": []}
        runs = found[program]["runs"]
        for in_flight in SIZES:
            runs.append(climbed(program, in_flight))
            save("edge-profile", found)
        taken = {"version": runs[0]["version"], "date": about()["at"][:10]}
        found[program] = taken | costs(*runs) | {"runs": runs}
        save("edge-profile", found)
        print(program, {name: value for name, value in found[program].items() if name != "runs"})
    if given.facts:
        write_rows(edge_rows())


if __name__ == "__main__":
    main()
