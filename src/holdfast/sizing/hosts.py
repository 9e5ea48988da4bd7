"""Sizes an edge before several hosts: each one's share with some lost, and how they are checked.

No I/O. Nothing is known of the hosts but what `[[edge.hosts]]` says of them.
"""

from __future__ import annotations

import math
from typing import Final

from holdfast.model.errors import BadInput
from holdfast.model.front.checks import CONNECT_S, Checks
from holdfast.model.front.front import Front
from holdfast.model.front.upstreams import Upstream, lasting, share
from holdfast.model.path import Demand, Hop, Link, Protocol, Spread
from holdfast.model.values import Value, assumed, derived
from holdfast.sizing.layout import EdgeLayout

HOP: Final = "hosts"
IDLE_S: Final = 2.0
"""An idle connection to a host is given up well before 5 s, which is uvicorn's own keep-alive."""
OBJECTS: Final = 2 * (5 + 1 + 1) * 10
"""Objects of a request that one walk of a worker's collector meets at most: as many again as were
added since the one before (docs/design/0011)."""
OBJECT_S: Final = 5e-7
"""Of such a walk, an object: 1.2 million cold ones took 0.42 s beside other work."""
ASKED_TWICE: Final = 2
ASKED_EVERY_S: Final = 1


def left(front: Front) -> int:
    """How many hosts are there when `spare_hosts` are lost; raises BadInput where none is."""
    hosts, spare = front.hosts, front.spare_hosts
    told = [host.address for host in hosts]
    twice = next((address for address in told if told.count(address) > 1), None)
    if twice is not None:
        hint = "give it a `weight` instead"
        raise BadInput(f"the host {twice} is named twice", place="[[edge.hosts]]", hint=hint)
    if spare >= len(hosts):
        raise BadInput(
            f"{spare} of {len(hosts)} hosts may be lost, and none is left then",
            place="[edge] spare_hosts",
            hint="name more hosts, or set `spare_hosts = 0`: then none may be lost",
        )
    return len(hosts) - spare


def size_hosts(demand: Demand, front: Front) -> Hop:
    """The hop `hosts`: what each is given while all are there, and with as many lost as may be."""
    here, hosts = left(front), front.hosts
    heaviest, weights = max(host.weight for host in hosts), lasting(hosts, front.spare_hosts)
    values: tuple[Value, ...] = (
        derived("hosts", len(hosts), "[[edge.hosts]]"),
        derived("hosts_left", here, f"with {front.spare_hosts} lost (`spare_hosts`)"),
        derived(
            "share",
            share(_heaviest(hosts), demand.in_flight, weights),
            f"{demand.in_flight:,} x {heaviest} / {weights}: the heaviest of the hosts that are "
            f"left when {front.spare_hosts} are lost holds so many",
        ),
    )
    told = [(host.in_flight or math.inf) / host.weight for host in hosts]
    if not math.isinf(min(told)):
        held = math.floor(min(told) * weights)
        why = f"{min(told):g} a weight, as `in_flight` says, x {weights} with the spare ones lost"
        values += (derived("in_flight", held, why),)
    return Hop(HOP, HOP, "", "elsewhere", len(hosts), values)


def _heaviest(hosts: tuple[Upstream, ...]) -> Upstream:
    return max(hosts, key=lambda host: host.weight)


def to_hosts(layout: EdgeLayout) -> Link:
    """The link from the edge to the hosts: by TCP, and to those that are left."""
    why = "a host that is no worker of ours may end an idle connection after 5 s"
    return Link(
        HOP,
        Protocol.HTTP_1,
        1.0,
        Spread.LEAST if left(layout.front) > 1 else Spread.ONLY,
        derived("dialler_idle_s", IDLE_S, why),
        assumed("listener_idle_s", 5, "uvicorn's default; the host decides"),
        left(layout.front),
    )


def checked(layout: EdgeLayout, workers: int) -> int:
    """How many servers the edge asks whether they are well; raises BadInput where it cannot."""
    front, told = layout.front, checks_of(layout.front)
    if not (told.interval and told.timeout):
        hint = "give `interval` and `timeout` a time, like `2s`"
        raise BadInput("a check without a time", place="[edge.checks]", hint=hint)
    asks = front.checks is not None and bool(front.checks.path)
    if layout.program == "nginx":
        if front.checks is not None and (asks or not front.hosts):
            raise BadInput(
                "nginx asks nobody whether he is well" if asks else "nginx takes no worker out",
                place="[edge.checks]",
                hint="use `--edge haproxy`, or leave `path` out"
                if front.hosts
                else "use `--edge haproxy`, or leave `[edge.checks]` out",
            )
        return 0
    if front.hosts:
        return len(front.hosts)
    if front.checks is not None and not asks:
        hint = "set `path` to what a worker answers with a status below 400"
        raise BadInput("a worker's socket always lets in", place="[edge.checks]", hint=hint)
    return workers if asks else 0


def kept(connections: int) -> str:
    """The part of a formula that says how many connections to hosts are idle."""
    return f" + {connections:,} idle connections to hosts" if connections else ""


def checks_of(front: Front) -> Checks:
    """The checks that are meant: as written, or the usual ones."""
    return front.checks or Checks()


def changed(values: tuple[Value, ...], demand: Demand, layout: EdgeLayout) -> tuple[Value, ...]:
    """The edge's values with those in their place that hosts, or checks, ask for otherwise."""
    made = _of_hosts(values, demand, layout) if layout.front.hosts else ()
    if layout.checked:
        made += _of_checks(layout)
    new = {value.setting: value for value in made}
    return (*(new.pop(value.setting, value) for value in values), *new.values())


def _of_hosts(values: tuple[Value, ...], demand: Demand, layout: EdgeLayout) -> tuple[Value, ...]:
    spare, here = layout.front.spare_hosts, left(layout.front)
    tries = 1 + max(1, spare)
    connect = "a SYN that is lost is sent again after 1 s, and is given a second then"
    checks = checks_of(layout.front)
    if layout.program == "nginx":
        arriving = max(1, math.ceil(demand.rate / here * CONNECT_S))
        return (
            derived("proxy_connect_timeout_s", CONNECT_S, connect),
            derived(
                "max_fails",
                arriving,
                f"as many as come within {CONNECT_S:g} s to one of {here} hosts: one that still "
                "lets some in is full, not gone, and taking it out would fill the others",
            ),
            derived(
                "fail_timeout_s",
                math.ceil(checks.found_s),
                f"{checks.fall} x ({checks.interval:g} + {checks.patience_s:g}) s; then one "
                "request finds out whether the host is back",
            ),
            derived(
                "proxy_next_upstream_tries",
                tries,
                f"a host and {tries - 1} more: one for each that may be lost",
            ),
            derived(
                "proxy_next_upstream_timeout_s",
                CONNECT_S * (tries - 1) + 1,
                f"{tries - 1} x {CONNECT_S:g} s to connect and 1: what a host has held for longer "
                "is given to no other one",
            ),
        )
    idle = math.ceil(checks.found_s)
    gone = idle + ASKED_TWICE * ASKED_EVERY_S
    asked = f"a host is gone {gone} s after its last word; one that is slow is not"
    cap = next(value for value in values if value.setting == "server_maxconn")
    share = cap.why.replace("slots", "hosts that are left")
    return (
        derived("server_maxconn", int(cap.number), share),
        derived("timeout_connect_s", CONNECT_S, connect),
        derived("retries", tries - 1, "what did not connect is given to another host each time"),
        derived("server_keepalive_idle_s", idle, asked),
        derived("server_keepalive_every_s", ASKED_EVERY_S, asked),
        derived("server_keepalive_probes", ASKED_TWICE, asked),
        derived("server_tcp_ut_s", gone, "the same for what was sent and is not acknowledged"),
    )


def _of_checks(layout: EdgeLayout) -> tuple[Value, ...]:
    """How HAProxy checks."""
    checks = checks_of(layout.front)
    found = f"{checks.fall} x ({checks.interval:g} + {checks.patience_s:g})"
    why = f"one that is cut off is out within {found} = {checks.found_s:g} s"
    borne = f"a pause of {checks.fall} x {checks.timeout:g} s takes nobody out"
    return (
        derived("check_inter_s", checks.interval, why),
        derived("check_fall", checks.fall, why),
        derived("check_rise", checks.rise, "good checks after which it is back"),
        derived("timeout_check_s", checks.timeout, borne),
        derived("checks", layout.checked, "a check of each, in each process"),
    )


def bear_pauses(front: Front, requests: float) -> None:
    """Raise BadInput where checks ask so often that a worker's garbage collector takes it out.

    `requests` are what one worker holds at most. While it walks their objects it answers nobody.
    """
    if front.checks is None or not front.checks.path:
        return
    checks, pause_s = front.checks, requests * OBJECTS * OBJECT_S
    if checks.borne_s < pause_s:
        raise BadInput(
            f"a worker that holds {requests:,.0f} may collect garbage for {pause_s:.1f} s, and "
            f"after {checks.borne_s:g} s ({checks.fall} x {checks.timeout:g}) it is taken out",
            place="[edge.checks]",
            hint=f"set `timeout` to `{math.ceil(pause_s / checks.fall)}s` or more",
        )
