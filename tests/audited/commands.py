"""Which processes the files of a folder start, as a shell, systemd or Compose would start them.

Knows no reader of Holdfast's: the files are read with the libraries that anybody has.
"""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import yaml

SOFT, HARD = 1_024, 20_000
"""Descriptors of whoever is told nothing: a login's soft limit, and what a program may raise."""


class Start(NamedTuple):
    """A command, which program it is of ("app": a server), its descriptors and its variables."""

    program: str
    argv: list[str]
    nofile: tuple[int, int] | None = None
    env: Mapping[str, str] = MappingProxyType({})


def starts(folder: Path, run: Path, soft: int = SOFT) -> list[Start]:
    """Every process that the files start, servers first; `soft` is what who is told nothing has."""
    found = [start for file in sorted(folder.iterdir()) for start in _starts(file, run)]
    if all(start.program != "app" for start in found):  # gunicorn's file names what it serves
        found.append(Start("app", ["gunicorn", "-c", str(folder / "gunicorn.conf.py")]))
    told = [start._replace(nofile=start.nofile or (soft, HARD)) for start in found]
    return sorted(told, key=lambda start: start.program != "app")


def sysctls(folder: Path) -> dict[str, str]:
    """What the sysctl files of a folder set."""
    found = {}
    for file in sorted(folder.glob("*sysctl*.conf")):
        for line in file.read_text().splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.lstrip().startswith(("#", ";")):
                found[name.strip()] = value.strip()
    return found


def _starts(file: Path, run: Path) -> Iterator[Start]:
    if file.suffix == ".service":
        yield _unit(file)
    elif file.name == "Procfile":
        for line in file.read_text().splitlines():
            yield Start("app", ["sh", "-c", f"exec {line.partition(':')[2]}"])
    elif file.name in {"compose.yaml", "docker-compose.yml"}:
        for service in yaml.safe_load(file.read_text())["services"].values():
            yield _service(service)
    elif file.suffix == ".sh":
        yield Start("app", ["sh", str(file)])
    elif file.name == "nginx.conf":
        own = "daemon off; pid nginx.pid;"
        argv = ["nginx", "-p", str(run), "-c", str(file), "-e", "error.log", "-g", own]
        yield Start("nginx", argv)
    elif file.name == "haproxy.cfg":
        yield Start("haproxy", ["haproxy", "-db", "-C", str(run), "-f", str(file)])


def _unit(file: Path) -> Start:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(file.read_text().replace("\\\n", " "))
    service = unit["Service"]
    soft, _, hard = service.get("LimitNOFILE", "").partition(":")
    nofile = (int(soft), int(hard or soft)) if soft else None
    env = dict(word.split("=", 1) for word in shlex.split(service.get("Environment", "")))
    argv = shlex.split(service["ExecStart"])
    return Start(_program(argv), argv, nofile, env)


def _service(service: dict) -> Start:  # type: ignore[type-arg]
    command = service["command"]
    said = service.get("ulimits", {}).get("nofile")
    if isinstance(said, int):
        said = {"soft": said, "hard": said}
    nofile = (said["soft"], said["hard"]) if said else None
    argv = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    env = {name: str(value) for name, value in service.get("environment", {}).items()}
    return Start(_program(argv), argv, nofile, env)


def _program(argv: list[str]) -> str:
    name = Path(argv[0]).name
    return name if name in {"nginx", "haproxy"} else "app"
