"""Whether a profile taken at 2,000 in flight predicts the memory of 50,000, for four apps.

    scripts/bench profile_predicts [shop|wait|django|page ...] [--held 50000] [--keep]

For each app: takes the profile, writes down what it predicts, holds 50,000, and compares. Each step
is written to bench/results/profile-predicts-APP.json at once. Needs root, and the machine alone:
see docs/design/0006-profiles.md for what is compared and why. About five minutes an app.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from holdfast.cli.context import Options
from holdfast.cli.verdict import plan_with_surplus
from holdfast.proof.machine import spare_bytes

REPOSITORY = Path(__file__).parent.parent
RESULTS = REPOSITORY / "bench" / "results"
APPS = {"shop": "shop:app", "wait": "wait:app", "django": "waiting:app", "page": "page:app"}
PROFILED, IDLE_SHARE = 2_000, 10
HOLD_LEAST_S = 20.0
"""A hold is one mean time at least: memory is whole once clients were answered and asked again."""
MOST_S = 500
QUIET_S, FEW = 90, 2_000
"""Sockets in TIME_WAIT take 256 bytes each for a minute: the baseline waits for most to go."""
LOOK_S = 2.0
ALL_THERE = 0.999
"""A look counts while nobody has been let go: a cut request is not a held one."""
OF_THE_PATH = {"holdfast.worker": "workers", "holdfast.load": "generator", "upstream.py": "service"}


def used_bytes() -> int:
    """What is in use and cannot be had back: all but free, file pages and reclaimable slab.

    Slab that can be reclaimed is let go first, so that what is left of it is held by somebody: the
    inodes and dentries of open sockets are, those of files that somebody looked at are not.
    """
    Path("/proc/sys/vm/drop_caches").write_text("2")
    rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    size = {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}
    free = size["MemFree"] + size["Buffers"] + size["Cached"] - size["Shmem"]
    return size["MemTotal"] - free - spare_bytes()


def slab_bytes() -> dict[str, int]:
    """Bytes of the objects in use of each slab cache that has over 1 MB of them."""
    found = {}
    for line in Path("/proc/slabinfo").read_text().splitlines()[2:]:
        name, active, _, _, per_slab, pages, *_ = line.split()
        size = int(active) * int(pages) * os.sysconf("SC_PAGE_SIZE") // int(per_slab)
        if size > 1_000_000:
            found[name] = size
    return found


def anonymous_bytes() -> dict[str, int]:
    """Anonymous memory of the path's processes by kind, and of our own tools besides."""
    found = dict.fromkeys((*OF_THE_PATH.values(), "tools"), 0)
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_text().split("\0")
            status = (process / "status").read_text()
        except (OSError, UnicodeDecodeError):
            continue
        text = " ".join(words)
        if ("holdfast" not in text and "upstream.py" not in text) or "RssAnon:" not in status:
            continue
        if process.name == str(os.getpid()) or not words[0].endswith("python"):
            continue
        kind = next((kind for word, kind in OF_THE_PATH.items() if word in text), "tools")
        found[kind] += int(status.split("RssAnon:")[1].split()[0]) * 1024
    return found


def wait_for_quiet() -> None:
    """Until few sockets are in TIME_WAIT."""
    end_s = time.monotonic() + QUIET_S
    while time.monotonic() < end_s:
        if socket_words()["tw"] < FEW:
            return
        time.sleep(1)


def socket_words() -> dict[str, int]:
    """The TCP line of /proc/net/sockstat: sockets in use, in TIME_WAIT and so on."""
    text = Path("/proc/net/sockstat").read_text().split("TCP:")[1].split("\n")[0].split()
    return dict(zip(text[0::2], map(int, text[1::2]), strict=True))


def holdfast(*words: str) -> list[str]:
    return [sys.executable, "-m", "holdfast", *words]


def take_profile(app: str, target: Path) -> int:
    """The exit code of `prove --profile-out`."""
    folder = str(REPOSITORY / "examples" / app)
    words = ("prove", APPS[app], "--app-dir", folder, "-n", str(PROFILED), "--json")
    argv = holdfast(*words, "--profile-out", str(target))
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=False, timeout=MOST_S)
    return done.returncode


def predict(app: str, profile: Path, held: int) -> dict[str, Any]:
    """The plan of the run to come, from the profile alone."""
    options = Options(
        app=APPS[app],
        app_dir=str(REPOSITORY / "examples" / app),
        config=None,
        in_flight=held,
        idle=held // IDLE_SHARE,
        here=True,
        profile=str(profile),
    )
    planned = plan_with_surplus(options)
    return {
        "memory_bytes": planned.memory_bytes,
        "by_hop": planned.memory_by_hop(),
        "clients": planned.demand.in_flight,
        "rate": planned.demand.rate,
        "mean_time_s": planned.mean_time.number,
        "workers": planned.path.hop("workers").processes,
        "request_cpu_s": {
            hop.name: value.number
            for hop in planned.path.hops
            if (value := hop.get("request_cpu_s")) is not None
        },
    }


def measure(app: str, profile: Path, held: int, mean_time_s: float) -> dict[str, Any]:
    """Hold that many, and what was in use at the most."""
    wait_for_quiet()
    before, at_start, slabs = used_bytes(), sum(anonymous_bytes().values()), slab_bytes()
    folder = str(REPOSITORY / "examples" / app)
    words = ("prove", APPS[app], "--app-dir", folder, "-n", str(held), "--edge", "none")
    argv = holdfast(*words, "--json", "--idle", str(held // IDLE_SHARE), "--profile", str(profile))
    argv += ["--mean-time", f"{mean_time_s}s", "--hold", f"{max(HOLD_LEAST_S, mean_time_s)}s"]
    looks = []
    with TemporaryFile() as answer, subprocess.Popen(argv, stdout=answer) as process:
        end_s = time.monotonic() + MOST_S
        while process.poll() is None and time.monotonic() < end_s:
            time.sleep(LOOK_S)
            sockets = socket_words()["inuse"]
            used = {
                "sockets": sockets,
                "used_bytes": used_bytes() - before,
                "anonymous": anonymous_bytes(),
            }
            grown = {name: size - slabs.get(name, 0) for name, size in slab_bytes().items()}
            looks.append({**used, "slabs": grown, "sockets": socket_words()["inuse"]})
            if len(looks) % 5 == 0:
                print(f"{app}: {looks[-1]['used_bytes'] / 2**20:,.0f} MiB more", file=sys.stderr)
        answer.seek(0)
        result = json.loads(answer.read())
    most = max(look["sockets"] for look in looks)
    whole = [look for look in looks if look["sockets"] > ALL_THERE * most]
    peak = max(whole, key=lambda look: look["used_bytes"])
    path_bytes = peak["used_bytes"] - peak["anonymous"]["tools"] + at_start
    kept = {k: v for k, v in result.items() if k not in ("series", "histograms")}
    return {"memory_bytes": path_bytes, "peak": peak, "result": kept}


def compare(app: str, held: int, *, keep: bool) -> None:
    target = RESULTS / f"profile-predicts-{app}.json"
    profile = RESULTS / f"profile-2k-{app}.json"
    found: dict[str, Any] = {"app": app, "held": held, "profile": profile.name}

    def write(**more: Any) -> None:
        found.update(more)
        target.write_text(json.dumps(found, indent=1) + "\n")

    if (not keep or not profile.exists()) and (code := take_profile(app, profile)):
        raise SystemExit(f"{app}: no profile: exit code {code}")
    write(predicted=predict(app, profile, held))
    write(measured=measure(app, profile, held, found["predicted"]["mean_time_s"]))
    predicted, measured = (found[name]["memory_bytes"] for name in ("predicted", "measured"))
    off = predicted / measured - 1
    write(off=round(off, 4), verdict=found["measured"]["result"]["verdict"])
    print(
        f"{app}: predicted {predicted / 2**20:,.0f} MiB, measured {measured / 2**20:,.0f} MiB "
        f"({off:+.1%}), {found['verdict']}"
    )


def main() -> None:
    """Compare the apps named on the command line, or all four."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("apps", nargs="*", default=list(APPS))
    parser.add_argument("--held", type=int, default=50_000)
    parser.add_argument("--keep", action="store_true", help="use a profile that is there")
    given = parser.parse_args()
    for app in given.apps:
        compare(app, given.held, keep=given.keep)


if __name__ == "__main__":
    main()
