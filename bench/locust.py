"""Measures locust's FastHttpUser beside wrk and the generator: requests per CPU second.

    scripts/bench locust

locust comes from PyPI into an environment of its own, in a temporary folder. Rounds of wrk, the
closed loop and locust with as many users, in one process on one core; nginx has the other. Each
checks status, locust and the generator also the length. CPU seconds are those of the whole process,
its start among them, which is why locust runs for longer. Writes bench/results/locust.json.
"""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _rig import LOAD_CORE, closed, nginx, per_cpu, save, wrk

LOCUST = "locust==2.47.0"
ROUNDS, SECONDS, LOCUST_SECONDS, USERS = 3, 2, 8, 64
FILE = """
from locust import FastHttpUser, constant, task

class Asks(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self):
        with self.client.get("/", catch_response=True) as answer:
            if answer.status_code != 200 or len(answer.content) != 6:
                answer.failure("status or length")
"""


def locust(folder: Path, port: int) -> dict[str, Any]:
    """What locust did: requests, and its own CPU seconds."""
    argv = f"taskset -c {LOAD_CORE} bin/locust -f load.py --headless --csv run --only-summary"
    argv += f" -u {USERS} -r {USERS} -t {LOCUST_SECONDS}s -H http://127.0.0.1:{port}"
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv.split(), cwd=folder, stdout=quiet, stderr=quiet)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with (folder / "run_stats.csv").open() as file:
        (row,) = [row for row in csv.DictReader(file) if row["Name"] == "Aggregated"]
    if process.returncode or int(row["Failure Count"]):
        raise SystemExit(f"locust failed: {row}")
    return per_cpu(int(row["Request Count"]), used.ru_utime + used.ru_stime)


def main() -> None:
    """Install, measure, write, and say the medians."""
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-locust-") as name, nginx() as (port, _):
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", name], check=True)
        subprocess.run([f"{name}/bin/pip", "install", "--quiet", LOCUST], check=True)
        (folder / "load.py").write_text(FILE)
        for _ in range(ROUNDS):
            found = {"wrk": wrk(port, USERS, SECONDS), "closed": closed(port, USERS, SECONDS)}
            rounds.append(found | {"locust": locust(folder, port)})
            medians = {
                name: round(statistics.median(one[name]["per_cpu_s"] for one in rounds))
                for name in rounds[0]
            }
            result = {"locust": LOCUST, "users": USERS, "per_cpu_s": medians, "rounds": rounds}
            save("locust", result)
    print(f"{USERS} connections, requests per CPU second: {medians}")


if __name__ == "__main__":
    main()
