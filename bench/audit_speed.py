"""Measures how long `holdfast audit` takes from the shell, for 1,000 files and for one.

    scripts/bench audit_speed

The many are Compose files of 300 lines, ten servers of apps in each, no two alike. Beside them, in
the same round, bare `yaml.load` with libyaml reads the same files and makes nothing of them. The
one is a file of nginx that proxies; beside it are `nginx -t` on the same file, which looks at
syntax alone, and an interpreter that does nothing, below which no Python program starts. Wall and
CPU seconds of whole commands; the median of each is over ROUNDS. Writes
bench/results/audit-speed.json.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _rig import need, save

ROUNDS = 9
FILES = 1_000
SERVERS = 10
LINES = 300
COMMANDS = (
    "gunicorn -k gevent -w 4 --worker-connections 1000 -b 0.0.0.0:{port} shop{number}.wsgi",
    "uvicorn shop{number}:app --host 0.0.0.0 --port {port} --workers 4",
)
SERVICE = """\
  app{number}-{service}:
    image: registry.example/app{service}:1.{number}
    restart: unless-stopped
    command: {command}
    environment:
      DATABASE_URL: postgresql://shop:secret@db:5432/shop
      LOG_LEVEL: info
    ports:
      - "{port}:{port}"
    ulimits:
      nofile:
        soft: 65536
        hard: 65536
    deploy:
      replicas: 2
      resources:
        limits:
          memory: 512m
          cpus: '0.5'
    depends_on:
      - db
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost/"]
      interval: 10s
      retries: 3
    sysctls:
      net.core.somaxconn: 1024
    labels:
      - example.team=shop
"""
REST = """\
  db:
    image: postgres:16
    command: postgres -c max_connections=200
    environment:
      POSTGRES_PASSWORD: secret
    volumes:
      - data:/var/lib/postgresql/data
volumes:
  data: {}
"""
NGINX = """\
pid /tmp/audit-speed.pid; error_log stderr; worker_processes 4; worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
  access_log off;
  upstream app { server 127.0.0.1:8000; keepalive 32; }
  server {
    listen 127.0.0.1:18080;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
"""
LOAD = """\
import pathlib, sys, yaml
for path in pathlib.Path(sys.argv[1]).rglob('*.yaml'):
    yaml.load(path.read_bytes(), yaml.CSafeLoader)
"""


def compose(number: int) -> str:
    """One Compose file, its names and ports its own as far as there are ports."""
    parts = ["services:\n"]
    for service in range(SERVERS):
        port = 2_000 + (number * SERVERS + service) % 60_000
        command = COMMANDS[service % 2].format(number=number, port=port)
        parts.append(SERVICE.format(number=number, service=service, command=command, port=port))
    said = "".join([*parts, REST])
    assert said.count("\n") <= LINES, said.count("\n")
    return said


def took(argv: list[str]) -> dict[str, float]:
    """Wall and CPU seconds of a command, which must not say that its input is bad."""
    start = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"error: {' '.join(argv)} ended with {process.returncode}")
    return {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime}


def commands(folder: Path) -> dict[str, list[str]]:
    """What is measured in each round, in this order."""
    many, one = folder / "many", folder / "nginx.conf"
    for number in range(FILES):
        place = many / f"{number // 50:02d}" / f"{number:04d}"
        place.mkdir(parents=True)
        (place / "compose.yaml").write_text(compose(number))
    one.write_text(NGINX)
    holdfast = str(Path(sys.executable).with_name("holdfast"))
    return {
        "audit_1000": [holdfast, "audit", str(many)],
        "yaml_load_1000": [sys.executable, "-c", LOAD, str(many)],
        "audit_1": [holdfast, "audit", str(one)],
        "nginx_t_1": [need("nginx", "nginx-light"), "-t", "-q", "-c", str(one)],
        "python_nothing": [sys.executable, "-c", "pass"],
    }


def main() -> None:
    """Measure, write after each round, and say the medians."""
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-speed-") as folder:
        measured = commands(Path(folder))
        for _ in range(ROUNDS):
            load = os.getloadavg()[0]
            rounds.append({name: took(argv) for name, argv in measured.items()} | {"load": load})
            medians = {
                name: {
                    unit: round(statistics.median(one[name][unit] for one in rounds), 4)
                    for unit in ("wall_s", "cpu_s")
                }
                for name in measured
            }
            shape = {"files": FILES, "lines": LINES, "servers": SERVERS}
            save("audit-speed", {"shape": shape, "medians": medians, "rounds": rounds})
    for name, median in medians.items():
        print(f"{name}: {median['wall_s']:.3f} s, {median['cpu_s']:.3f} s of CPU")


if __name__ == "__main__":
    main()
