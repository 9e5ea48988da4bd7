"""What a demand and a path are: hosts, hops, links. Frozen records, no behaviour but look-ups."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec

from holdfast.model.values import Value


class Protocol(Enum):
    """What two hops speak over a link."""

    HTTP_1 = "http/1.1"
    HTTP_2 = "http/2"
    TCP = "tcp"
    UNIX = "unix"


class Spread(Enum):
    """How work is spread over the processes of a hop; decides how much of the total is sure."""

    ONLY = "only"
    LEAST = "least"
    HASH = "hash"
    RACE = "race"
    LEAVES = "leaves"


class Use(msgspec.Struct, frozen=True):
    """What one request takes of a hop: `units` at once for `held_s` seconds."""

    hop: str
    units: float
    held_s: float


class Kind(msgspec.Struct, frozen=True):
    """One kind of request: its share of arrivals, its time in the system, what it uses.

    `body_bytes` and `answer_bytes` are what it sends and gets, which an edge may buffer.
    """

    name: str
    share: float
    time_s: float
    uses: tuple[Use, ...] = ()
    body_bytes: int = 0
    answer_bytes: int = 0


class Demand(msgspec.Struct, frozen=True):
    """What is asked for, and how it arrives.

    `in_flight` requests at once; `idle` keep-alive clients beside them; `streams` requests a client
    connection carries (1 for HTTP/1.1); `burst` requests that arrive within `burst_s` seconds;
    `miss` is the accepted chance that `sure` is exceeded (1e-9: six sigma).
    """

    in_flight: int
    kinds: tuple[Kind, ...]
    idle: int = 0
    streams: float = 1.0
    burst: int = 0
    burst_s: float = 1.0
    miss: float = 1e-9

    @property
    def mean_time_s(self) -> float:
        """Mean time of a request in the system, weighted by each kind's share of arrivals."""
        return sum(k.share * k.time_s for k in self.kinds) / sum(k.share for k in self.kinds)

    @property
    def rate(self) -> float:
        """Requests per second that `in_flight` and the mean time imply (Little's law)."""
        return self.in_flight / self.mean_time_s

    def uses(self, hop: str) -> tuple[float, float]:
        """Units of `hop` one request of the mix takes while it is in flight, and units x seconds.

        The first weighs each kind by its share of what is in flight (share x time), the second by
        its share of arrivals.
        """
        arrivals = sum(k.share for k in self.kinds)
        at_once = unit_s = 0.0
        for kind in self.kinds:
            for use in kind.uses:
                if use.hop == hop:
                    at_once += kind.share * use.units * use.held_s
                    unit_s += kind.share * use.units * use.held_s / arrivals
        return at_once / (arrivals * self.mean_time_s), unit_s

    def mean_in_flight(self, of: Callable[[Kind], float]) -> float:
        """The mean of `of` over what is in flight: each kind weighs its share x time."""
        weights = [kind.share * kind.time_s for kind in self.kinds]
        weighed = zip(weights, self.kinds, strict=True)
        return sum(weight * of(kind) for weight, kind in weighed) / sum(weights)


class Count(msgspec.Struct, frozen=True):
    """Instances of a host: N must fit at `low`; budgets count `high` + `surge`."""

    low: int = 1
    high: int = 1
    surge: int = 0


class Host(msgspec.Struct, frozen=True):
    """One kind of machine, and what was read of it."""

    name: str
    count: Count
    cores: float
    memory_bytes: int
    values: tuple[Value, ...] = ()

    def get(self, setting: str) -> Value | None:
        """The named value, or None where it was not read."""
        return find(self.values, setting)


class Link(msgspec.Struct, frozen=True):
    """How one hop reaches the next.

    `servers` are the addresses that it dials; None where each process has an address of its own.
    Several processes may share each of several addresses: `spread` is then how they do, and `among`
    how the addresses are chosen.
    """

    to: str
    protocol: Protocol
    streams: float
    spread: Spread
    dialler_idle_s: Value
    listener_idle_s: Value
    servers: int | None = None
    among: Spread | None = None


class Hop(msgspec.Struct, frozen=True):
    """One program on the path, on a host, in a number of processes."""

    name: str
    program: str
    version: str
    host: str
    processes: int
    values: tuple[Value, ...] = ()
    links: tuple[Link, ...] = ()

    def get(self, setting: str) -> Value | None:
        """The named value, or None where it is not set here."""
        return find(self.values, setting)


class Path(msgspec.Struct, frozen=True):
    """The whole way of a request. `unjoined` names what could not be tied to it."""

    hosts: tuple[Host, ...]
    hops: tuple[Hop, ...]
    unjoined: tuple[str, ...] = ()

    def host(self, name: str) -> Host:
        """The host of that name; raises KeyError."""
        return {host.name: host for host in self.hosts}[name]

    def hop(self, name: str) -> Hop:
        """The hop of that name; raises KeyError."""
        return {hop.name: hop for hop in self.hops}[name]

    def servers(self, link: Link) -> int:
        """The addresses that a link dials."""
        return self.hop(link.to).processes if link.servers is None else link.servers


def find(values: tuple[Value, ...], setting: str) -> Value | None:
    """The last value of `setting`, since later ones override earlier ones."""
    return next((v for v in reversed(values) if v.setting == setting), None)
