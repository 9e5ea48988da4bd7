"""Paths typed in for the laws' tests, with places as readers give them: one value a line."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.model.path import Count, Demand, Hop, Host, Kind, Link, Path, Protocol, Spread
from holdfast.model.values import Place, Scalar, Source, Value, assumed

GIB = 2**30


def written(setting: str, value: Scalar, file: str = "app.conf", line: int = 1) -> Value:
    """A value of a file; its span is its line's, so that no two values share one."""
    start = line * 100
    place = Place(file, line, start, start + len(str(value)))
    return Value(setting, value, Source.WRITTEN, f"{setting} {value};", place)


def values(file: str, told: dict[str, Scalar]) -> tuple[Value, ...]:
    """Values of one file, a line each, from line 1."""
    return tuple(written(name, value, file, n) for n, (name, value) in enumerate(told.items(), 1))


def host(**told: Scalar) -> Host:
    """A host of 2 cores and 24 GiB whose sysctl.conf says more."""
    common = {"somaxconn": 4_096, "port_low": 32_768, "port_high": 60_999}
    known = tuple(assumed(k, v, "Debian 12") for k, v in common.items() if k not in told)
    return Host("here", Count(), 2, 24 * GIB, (*known, *values("sysctl.conf", told)))


def link(to: str, protocol: Protocol = Protocol.UNIX, dialler: float = 5, listener: float = 75):
    """A link to `to` whose dialler gives up first."""
    ends = (written("dialler_idle_s", dialler), written("listener_idle_s", listener))
    return Link(to, protocol, 1.0, Spread.LEAST, *ends, 1)


def nginx(processes: int = 2, to: str | None = "app", version: str = "1.22.1", **told: Scalar):
    """An nginx that keeps connections to `to`, by HTTP/1.1, as a file states it."""
    common: dict[str, Scalar] = {
        "worker_processes": processes,
        "worker_connections": 768,
        "keepalive": 32,
        "proxy_http_version": "1.1",
        "proxy_header_connection": "",
        "proxy_pass": "http://app",
    }
    said = values("nginx.conf", {**common, **told})
    links = () if to is None else (link(to),)
    return Hop("edge", "nginx", version, "here", processes, said, links)


def haproxy(**told: Scalar) -> Hop:
    """A HAProxy of one process and one thread."""
    said = values("haproxy.cfg", {"nbthread": 1, "maxconn": 2_000, **told})
    return Hop("edge", "haproxy", "2.6.12", "here", 1, said, (link("app"),))


def gunicorn(processes: int = 4, name: str = "app", version: str = "27.0.1", **told: Scalar) -> Hop:
    """A gunicorn of gevent workers, as its file of Python states it."""
    common: dict[str, Scalar] = {"workers": processes, "worker_class": "gevent"}
    said = values("gunicorn.conf.py", {**common, **told})
    return Hop(name, "gunicorn", version, "here", processes, said)


def path(*hops: Hop, on: Host | None = None) -> Path:
    """The hops on one host, beside its kernel."""
    kernel = Hop("kernel", "kernel", "", "here", 1)
    return Path((on or host(),), (kernel, *hops))


def demand(in_flight: int = 1, **fields: Any) -> Demand:
    """So many requests of 20 s each."""
    return Demand(in_flight, (Kind("any", 1.0, 20.0),), **fields)


def linked(hop: Hop, *links: Link) -> Hop:
    """The hop with other links."""
    return msgspec.structs.replace(hop, links=links)
