"""Holds one of the README's sizes, and keeps its raw result and its report.

    scripts/bench held 50k|50k-nginx|50k-haproxy|250k-wait|250k-shop|500k-haproxy|500k-nginx|1m-wait
    scripts/bench held 50k-tls-h1|50k-tls-h2 [nginx|haproxy] [2k]

Those over TLS take an edge (nginx where none is named) and a number to be tried at.
Clients, app and services run on this machine, for minutes. A million takes some 19 GB, so a run
that leaves the machine too little memory is interrupted before the kernel chooses what to kill.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
RESULTS = REPOSITORY / "bench" / "results"
WAITING_500K = "-n 500k --idle 0 --app wait:app --mean-time 120s --hold 30s"
SIZES = {
    "50k": "-n 50k",
    "50k-nginx": "-n 50k --edge nginx --mean-time 25s --hold 60s",
    "50k-haproxy": "-n 50k --edge haproxy --mean-time 25s --hold 60s",
    "250k-wait": "-n 250k --idle 0 --app wait:app --hold 30s",
    "250k-shop": "-n 250k --idle 0 --mean-time 200s --hold 30s",
    "500k-haproxy": f"{WAITING_500K} --edge haproxy",
    "500k-nginx": f"{WAITING_500K} --edge nginx",
    "1m-wait": "-n 1m --idle 0 --app wait:app --mean-time 300s --hold 60s",
}
OVER_TLS = {
    "50k-tls-h1": "--idle 0 --tls --mean-time 60s --hold 120s",
    "50k-tls-h2": "--idle 0 --tls --streams 100 --mean-time 40s --hold 120s",
}
"""Handshakes of HTTP/1.1 take two minutes, so that answers come while clients still open. At 25 s
streams of HTTP/2 would ask for all of the rate that the plan is sure of, at 40 s for 0.6 of it."""
CEILING_S = 900
SPARE_KIB = 1 << 20
"""Memory that stays available, or the run is interrupted: 1 GiB."""


def available_kib() -> int:
    """MemAvailable of this machine."""
    with open("/proc/meminfo", encoding="ascii") as file:
        found = dict(line.split(":") for line in file)
    return int(found["MemAvailable"].split()[0])


def run(words: str, stem: str) -> int:
    """One demo, bounded in time and memory; its exit code."""
    result, report = RESULTS / f"{stem}.json", RESULTS / f"{stem}.html"
    argv = [sys.executable, "-m", "holdfast", "demo", *words.split(), "--out", str(result)]
    end_s = time.monotonic() + CEILING_S
    with subprocess.Popen(argv) as demo:
        while demo.poll() is None:
            try:
                demo.wait(1.0)
            except subprocess.TimeoutExpired:
                if available_kib() < SPARE_KIB or time.monotonic() > end_s:
                    print("bench: too little memory or too long: interrupted", file=sys.stderr)
                    demo.send_signal(signal.SIGINT)
                    demo.wait(120)
    if demo.returncode == 0:
        words = f"results report {result} --out {report}"
        subprocess.run([sys.executable, "-m", "holdfast", *words.split()], check=True)
    return demo.returncode


def main() -> int:
    """Hold the size named on the command line."""
    size, *more = sys.argv[1:] or [""]
    if size in OVER_TLS and len(more) < 3:
        edge, number = (*more, *("nginx", "50k")[len(more) :])
        stem = f"demo-{size.replace('50k', number)}-{edge}"
        return run(f"-n {number} --edge {edge} {OVER_TLS[size]}", stem)
    if size not in SIZES or more:
        print(f"error: name one of {', '.join((*SIZES, *OVER_TLS))}", file=sys.stderr)
        return 2
    return run(SIZES[size], f"demo-{size}")


if __name__ == "__main__":
    sys.exit(main())
