"""Proving a URL: loopback only, with the app's own count where `holdfast up` serves it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from holdfast.cli import say
from holdfast.cli.live import live_line
from holdfast.cli.opening import open_rate
from holdfast.cli.rates import Rate, proof_of
from holdfast.cli.reporting import check_report
from holdfast.cli.spoken import check_ca
from holdfast.cli.trial import OPEN_CEILING_S, stop_on_signal
from holdfast.cli.verdict import HOLD_MEAN_TIMES, finish
from holdfast.load.plan import LoadPlan, processes_needed
from holdfast.model.errors import BadInput
from holdfast.observe.host import read_host
from holdfast.proof.machine import Machine
from holdfast.proof.plan import ProofPlan, surplus
from holdfast.proof.result import check_place
from holdfast.stack.register import FoundStack, find_stack

PORTS: Final = {"http": 80, "https": 443}
USUAL_HOLD_S = 30.0
GRACE_S = 10.0
PROBE_S = 1.0
"""A connect that has no answer after so long met a full accept queue: that is a run's to tell."""


class Target(NamedTuple):
    """Where load goes: `host` is the Host header, `path` has the query with it."""

    address: str
    port: int
    host: str
    path: str
    tls: bool


def parse_target(url: str) -> Target:
    """The parts of a loopback http or https URL; else BadInput."""
    place = "TARGET"
    hint = "load goes to this machine only: use http://127.0.0.1:PORT/PATH, or https"
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as wrong:
        raise BadInput(f"`{url}` is not a URL: {wrong}", place=place, hint=hint) from None
    if parts.scheme not in PORTS:
        raise BadInput(f"`{url}` is neither an http nor an https URL", place=place, hint=hint)
    name = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        raise BadInput(f"`{name}` is not a loopback address", place=place, hint=hint) from None
    if not address.is_loopback or address.version != 4:
        raise BadInput(f"`{name}` is not an IPv4 loopback address", place=place, hint=hint)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(str(address), port, parts.netloc, path, parts.scheme == "https")


class UrlProof(msgspec.Struct, frozen=True):
    """What to hold at a URL, as the command line said it."""

    target: str
    in_flight: int
    idle: int
    idle_path: str
    hold_s: float | None
    mean_time_s: float | None
    ids: int
    out: str | None
    as_json: bool
    report: str | None = None
    by_rate: Rate | None = None
    streams: int = 1
    ca: str = ""

    @property
    def hold_for_s(self) -> float:
        """As told; three mean times where one is known; else half a minute."""
        if self.hold_s:
            return self.hold_s
        return HOLD_MEAN_TIMES * self.mean_time_s if self.mean_time_s else USUAL_HOLD_S


def prove_url(asked: UrlProof) -> int:
    """Hold N at the URL and judge; the exit code is the verdict's."""
    started = Machine.read()
    plan = _proof_plan(asked)
    if asked.by_rate is not None:
        plan = asked.by_rate.proof_plan(plan)
    if asked.out is not None:
        check_place(asked.out)
    check_report(asked.report)
    _check_listener(plan.load)
    stack = find_stack(plan.load.address, plan.load.port)
    if stack is not None and stack.slots_room:
        plan = msgspec.structs.replace(plan, slots_room=stack.slots_room)
    quiet = say.is_quiet(asked.as_json)
    if stack is None and not quiet:
        say.say("no count from the app: two witnesses, the client's and the kernel's")
    nonce = "check" if stack is None else "require"
    load = msgspec.structs.replace(plan.load, nonce=nonce)
    with live_line(quiet, plan) as on_moment:
        proof = proof_of(asked.by_rate)(
            msgspec.structs.replace(plan, load=load),
            in_flight=None if stack is None else stack.gauge.in_flight,
            groups=_groups(stack),
            on_moment=on_moment,
            started=started,
        )
        with stop_on_signal(proof.stop):
            result = proof.run()
    return finish(result, None, asked.out, as_json=asked.as_json, report=asked.report)


def _check_listener(load: LoadPlan) -> None:
    """Nothing that listens is known at once; everything else is for the run to find out."""
    try:
        socket.create_connection((load.address, load.port), PROBE_S).close()
    except ConnectionRefusedError:
        fault = f"nothing listens on {load.address}:{load.port}"
        raise BadInput(fault, place="TARGET", hint="start the app first: `holdfast up`") from None
    except OSError:
        return


def _proof_plan(asked: UrlProof) -> ProofPlan:
    target = parse_target(asked.target)
    check_ca(asked.ca, tls=target.tls)
    rate = asked.in_flight / asked.mean_time_s if asked.mean_time_s else 0.0
    clients = asked.in_flight + surplus(asked.in_flight, rate)
    cores = read_host().cores
    rate_in = open_rate(tls=target.tls, streams=asked.streams, cores=cores, server=None)
    load = LoadPlan(
        address=target.address,
        port=target.port,
        host=target.host,
        path=target.path,
        ids=asked.ids,
        clients=clients,
        idle=asked.idle,
        idle_path=asked.idle_path,
        processes=_processes(-(-clients // asked.streams), asked.idle),
        tls=target.tls,
        ca=asked.ca,
        streams=asked.streams,
    )
    return ProofPlan(
        asked=asked.in_flight,
        clients=clients,
        idle=asked.idle,
        hold_s=asked.hold_for_s,
        load=load,
        open_rate=rate_in,
        open_ceiling_s=OPEN_CEILING_S,
        backlog_total=None,
        mean_time_s=asked.mean_time_s,
        grace_s=GRACE_S,
    )


def _groups(stack: FoundStack | None) -> Callable[[], dict[str, list[int]]]:
    def groups() -> dict[str, list[int]]:
        return {} if stack is None else {"workers": list(stack.worker_pids())}

    return groups


def _processes(clients: int, idle: int) -> int:
    """Generator processes that so many connections need on this host."""
    host = read_host()
    files, low, high = (host.get(n) for n in ("nofile_hard", "port_low", "port_high"))
    nofile = 1024 if files is None else int(files.number)
    ports = (
        32_768 if low is None else int(low.number),
        60_999 if high is None else int(high.number),
    )
    return processes_needed(clients, idle, nofile, ports)
