"""What a held request costs on each engine: all rows of the facts, taken in one series.

    scripts/bench engine_profiles [ENGINE ...] [--resume] [--facts]

The waiting app of the engine's interface, by `prove --profile-out` (docs/design/0006): 2,000 in
flight, gthread 400. A profile that is void is taken once more. sync holds one request in a process,
so its row is of one worker: its memory with a request and without, and its processor over a closed
loop of one connection. Writes bench/results/profile-wait-ENGINE.json for each, and the series to
bench/results/engine-profiles.json as each is done; `--resume` skips what the series has from the
last two hours; `--facts` writes the rows of facts/profiles.json. Needs the machine alone. Nine
engines: 11 minutes.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Final

from _facts import engine_rows, write_rows
from _guides import APPS, WAIT
from _ours import ours
from _rig import RESULTS, busy_s, closed, save

from holdfast.cli.engines import COSTS, packages_of
from holdfast.observe.process import read_limits
from holdfast.proof.machine import Group
from holdfast.proof.profile_file import versions_here
from holdfast.wire import ENGINES

TARGET = RESULTS / "engine-profiles.json"
USUAL: Final = 2_000
IN_FLIGHT: Final = {"gthread": 400}
TRIES: Final = 2
MOST_S: Final = 240.0
SERIES: Final = timedelta(hours=2)
SYNC_TIMES, SYNC_S, HELD_S = 5, 3.0, 1.0


class NoProfile(Exception):
    """The load was not held, or no line fits, as often as it was tried."""


def file_of(engine: str) -> Path:
    """Where an engine's profile is."""
    return RESULTS / f"profile-wait-{engine}.json"


def taken(engine: str) -> dict[str, Any]:
    """The engine's row of the series, from a profile that is taken now."""
    app = APPS[ENGINES[engine].interface]
    held = IN_FLIGHT.get(engine, USUAL)
    words = f"prove {app} --app-dir {WAIT} -n {held} --engine {engine} --json --profile-out"
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        made = Path(folder) / "profile.json"
        argv = [sys.executable, "-m", "holdfast", *words.split(), str(made)]
        for _ in range(TRIES):
            done = subprocess.run(argv, stdout=subprocess.DEVNULL, check=False, timeout=MOST_S)
            if made.exists():
                file_of(engine).write_bytes(made.read_bytes())
                break
        else:
            raise NoProfile(f"{engine}: no profile, exit code {done.returncode}")
    profile = json.loads(file_of(engine).read_text())
    cost = profile["programs"]["workers"]
    told = {"taken_at": profile["taken_at"], "version": profile["versions"][packages_of(engine)[0]]}
    off = {name: cost[name] for name in ("request_bytes_off", "request_cpu_s_off")}
    return told | {"in_flight": held} | {name: cost[name] for name in COSTS} | off


def of_sync() -> dict[str, Any]:
    """sync's row: one worker, without a request and with the one that it can hold."""
    app = APPS["WSGI"]
    with ours("sync", "none", app, WAIT, slots=1, WAIT_MEAN_S=str(HELD_S)) as (port, groups):
        pids = groups["workers"]
        opened = [v.number for v in read_limits(pids[0]) if v.setting == "descriptors_open"]
        before = busy_s(pids)
        asked = closed(port, 1, SYNC_S, path="/health", length=None)["requests"]
        cpu_s = (busy_s(pids) - before) / asked
        bases, more = [], []
        for _ in range(SYNC_TIMES):
            bases.append(Group().read(pids).bytes)
            more.append(_with_one(port, pids) - bases[-1])
    found: dict[str, Any] = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": versions_here(("gunicorn",))["gunicorn"],
        "in_flight": 1,
        "base_bytes": statistics.median(bases),
        "request_bytes": max(0.0, statistics.median(more)),
        "idle_bytes": 0.0,
        "request_cpu_s": cpu_s,
        "own_descriptors": int(opened[0]),
    }
    profile = found | {"engine": "sync", "app": app, "bases": bases, "requests": more}
    file_of("sync").write_text(json.dumps(profile, indent=1) + "\n")
    return found


def _with_one(port: int, pids: tuple[int, ...]) -> int:
    """Memory of the workers while one request waits in them."""
    url = f"http://127.0.0.1:{port}/wait/1"
    asking = Thread(target=lambda: urllib.request.urlopen(url, timeout=60).read())
    asking.start()
    time.sleep(HELD_S / 4)  # its draws lie close to the mean
    found = Group().read(pids).bytes
    asking.join()
    return found


def main() -> int:
    """Take the profiles that are named, or all, and write them; 1 where one could not be taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--facts", action="store_true")
    given = parser.parse_args()
    series: dict[str, Any] = {}
    if TARGET.exists():
        series = json.loads(TARGET.read_text())["series"]
    missing: list[str] = []
    oldest = (datetime.now(UTC) - SERIES).isoformat()
    for engine in given.engines:
        if given.resume and series.get(engine, {}).get("taken_at", "") > oldest:
            continue
        try:
            series[engine] = of_sync() if engine == "sync" else taken(engine)
        except NoProfile as wrong:
            missing.append(engine)
            print(f"error: {wrong}", file=sys.stderr, flush=True)
            continue
        save("engine-profiles", {"series": series})
        print(engine, series[engine], flush=True)
    if given.facts:
        write_rows(engine_rows())
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
