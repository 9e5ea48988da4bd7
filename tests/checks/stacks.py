"""Stacks as text, written in any order and with any names: what an answer must not depend on.

`Lots` decides what does not matter (order, names, blanks, comments); `Numbers` is what does.
"""

from __future__ import annotations

import random
from typing import NamedTuple

ROOM = 60_000
"""More descriptors and connections than any of these stacks takes."""


class Numbers(NamedTuple):
    """What a stack is sized by."""

    processes: int
    connections: int
    workers: int
    each: int
    sites: int
    backlog: int = 2_048
    grace: int = 30
    stop: int = 90


class Lots:
    """Draws what must not matter; without a lot everything stands as it is usually written."""

    def __init__(self, lot: int | None) -> None:
        self.random = None if lot is None else random.Random(lot)

    def order(self, parts: list[str]) -> list[str]:
        """The parts, shuffled."""
        return parts if self.random is None else self.random.sample(parts, len(parts))

    def name(self, usual: str) -> str:
        """A name in the place of a usual one."""
        return usual if self.random is None else f"{usual[0]}{self.random.randrange(10**6)}"

    def lines(self, text: str) -> str:
        """The text with comments and blank lines between its lines, blanks around and at ends."""
        if self.random is None:
            return text
        lots, made = self.random, []
        for line in text.splitlines():
            noise = ("", "", "# worker_connections 5; maxconn = 7", "   ", "#", "\t# workers = 3")
            made += [lots.choice(noise)] if lots.random() < 0.5 else []
            made.append(line + lots.choice(("", " ", "\t ")))
        return "\n".join(made) + "\n"

    def indent(self, text: str) -> str:
        """The lines, indented with anything."""
        by = "    " if self.random is None else self.random.choice(("", "  ", "\t", "      "))
        return "".join(f"{by}{line}\n" for line in text.splitlines())


def block(lots: Lots, head: str, parts: list[str]) -> str:
    """A block of nginx, its parts in any order."""
    inner = lots.indent("\n".join(lots.order(parts)))
    return f"{head} {{\n{inner}}}\n"


def nginx(numbers: Numbers, lots: Lots, socket: str) -> str:
    """nginx before one upstream, with so many sites, each with a port of its own."""
    app = lots.name("app")
    sites = [
        block(
            lots,
            "server",
            [
                f"listen {8_100 + site};",
                f"server_name {lots.name('site')}.example;",
                block(lots, "location /static/", ["root /srv;"]),
                block(
                    lots,
                    "location /",
                    [
                        f"proxy_pass http://{app};",
                        "proxy_http_version 1.1;",
                        'proxy_set_header Connection "";',
                        "proxy_set_header Host $host;",
                    ],
                ),
            ],
        )
        for site in range(numbers.sites)
    ]
    up = block(lots, f"upstream {app}", [f"server {socket};", "keepalive 8;"])
    http = ["sendfile on;", "keepalive_timeout 30;", up, *sites]
    main = [
        f"worker_processes {numbers.processes};",
        f"worker_rlimit_nofile {ROOM};",
        "pid /run/nginx.pid;",
        block(lots, "events", [f"worker_connections {numbers.connections};", "multi_accept off;"]),
        block(lots, "http", http),
    ]
    return lots.lines("\n".join(lots.order(main)))


def haproxy(numbers: Numbers, lots: Lots, socket: str) -> str:
    """HAProxy with a cap on all and on the one server; `defaults` stay before who takes them."""
    app, front = lots.name("back"), lots.name("front")

    def section(head: str, parts: list[str]) -> str:
        return f"{head}\n{lots.indent(chr(10).join(lots.order(parts))) if parts else ''}"

    times = [f"timeout {name} 30s" for name in ("client", "server", "connect")]
    least = max(1, numbers.processes)
    common = [
        section("global", [f"maxconn {numbers.connections}", "nbthread 1", "daemon"]),
        section("defaults", ["mode http", *times]),
    ]
    binds = [f"bind :{8_100 + site}" for site in range(numbers.sites)]
    rest = [
        section(f"frontend {front}", [*binds, f"default_backend {app}"]),
        section(
            f"backend {app}",
            ["balance leastconn", f"server one {socket} maxconn {numbers.each * least}"],
        ),
    ]
    return lots.lines("\n".join([*lots.order(common), *lots.order(rest)]))


def gunicorn(numbers: Numbers, lots: Lots, socket: str) -> dict[str, str]:
    """gunicorn's file and the unit that starts it with it."""
    name = lots.name("gunicorn")
    settings = [
        f"workers = {numbers.workers}",
        "worker_class = 'gevent'",
        f"worker_connections = {numbers.each}",
        f"backlog = {numbers.backlog}",
        f"graceful_timeout = {numbers.grace}",
        "keepalive = 75",
        f"bind = {socket!r}",
    ]
    start = [f"ExecStart=/usr/bin/gunicorn -c /srv/{name}.py app:app"]
    service = [f"LimitNOFILE={ROOM}", f"TimeoutStopSec={numbers.stop}", "Type=notify", *start]
    sections = [
        "[Unit]\n" + "\n".join(lots.order(["Description=app", "After=network.target"])),
        "[Service]\n" + "\n".join(lots.order(service)),
    ]
    return {
        f"app/{name}.py": lots.lines("\n".join(lots.order(settings))),
        f"app/{lots.name('app')}.service": lots.lines("\n".join(lots.order(sections))),
    }


def sysctls(lots: Lots) -> str:
    """Sysctls of which one does nothing."""
    lines = ["net.core.somaxconn = 1024", "net.ipv4.tcp_tw_recycle=1", "fs.file-max = 900000"]
    return lots.lines("\n".join(lots.order(lines)))


def stack(kind: str, numbers: Numbers, lot: int | None, *, unix: bool) -> dict[str, str]:
    """The files of a whole stack: an edge, gunicorn in a unit, sysctls."""
    lots = Lots(lot)
    if kind == "nginx":
        dialled = "unix:/run/app.sock" if unix else "127.0.0.1:8000"
        edge = {f"{lots.name('nginx')}.conf": nginx(numbers, lots, dialled)}
    else:
        dialled = "unix@/run/app.sock" if unix else "127.0.0.1:8000"
        edge = {f"{lots.name('haproxy')}.cfg": haproxy(numbers, lots, dialled)}
    bound = "unix:/run/app.sock" if unix else "127.0.0.1:8000"
    files = {**edge, **gunicorn(numbers, lots, bound)}
    files[f"sysctl.d/{lots.name('90')}.conf"] = sysctls(lots)
    under = "" if lot is None else f"{lots.name('etc')}/"
    return {f"{under}{name}": text for name, text in files.items()}
