"""What load is wanted, and how it is dealt out to processes and source addresses.

Pure. Must not know sockets, or what is behind the address.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from holdfast.model.errors import BadInput

OCCUPIED_OCTET: Final = 100
IDLE_OCTET: Final = 200
"""Second octet of a client's address, 127.x.0.0/16: tells the kernel witness occupied from idle."""
MOST_SOCKETS: Final = 18_000
"""The most sockets of one process: below RLIMIT_NOFILE 20,000 with room for its own."""
OWN_DESCRIPTORS: Final = 32
"""What a process needs for itself: standard streams, epoll, shared memory, imports. Seen: 9."""
ADDRESSES_PER_ROW: Final = 250
MOST_PROCESSES: Final = 250 * ADDRESSES_PER_ROW
TICK_EVERY_NS: Final = 10_000_000
TICKERS: Final = 8
PORTION: Final = 64
"""Clients that one process opens in its turn: the work of about 2 ms, which pays for waking."""

Arrivals = Literal["constant", "poisson"]


class LoadPlan(msgspec.Struct, frozen=True):
    """N clients kept occupied on one HTTP server of the loopback, and idle ones beside them."""

    address: str
    """Where the server listens: 127.x.x.x."""
    port: int
    host: str
    """The Host header."""
    path: str
    """`{id}` in it becomes a number in [0, ids)."""
    ids: int = 1
    seed: int = 0
    clients: int = 0
    """The most occupied clients that will ever be allowed."""
    idle: int = 0
    """Clients that ask once for `idle_path`, then stay connected and silent."""
    idle_path: str = "/"
    processes: int = 1
    status: int = 200
    """What an occupied client's answer must have; an idle client takes any."""
    nonce: Literal["off", "check", "require"] = "check"
    """off: none is sent. check: an answer that carries one carries its own. require: each must."""
    length: int | None = None
    """Bytes of body that each answer must have; None: any number."""
    connect_timeout_s: float = 60.0
    timeout_s: float = 0.0
    """From the sending to the complete answer; 0 waits for ever."""
    rate: float = 0.0
    """Requests a second, each sent when it is due; 0: each client asks again when it is answered.
    By rate, `clients` is the most connections, of which those allowed are there at the start."""
    arrivals: Arrivals = "constant"
    for_s: float = 0.0
    """For how long requests are due, by rate."""
    tls: bool = False
    ca: str = ""
    """File of certificates that the server's is verified by; none: it is not verified."""
    streams: int = 1
    """Clients that share a connection, by HTTP/2; 1: each has its own, and speaks HTTP/1.1."""
    tally: str = ""
    """A header by whose value answers are counted; each is taken apart then, which costs more."""

    @property
    def requests(self) -> int:
        """How many requests are due, by rate."""
        return round(self.rate * self.for_s)

    @property
    def tick_ns(self) -> int:
        """How often each process looks at its clock: less often where they are many.

        Waking costs a process about 50 us, whatever it finds to do, so that what all of them spend
        on it is bounded: TICKERS a tick of 10 ms, 4 % of a core.
        """
        return TICK_EVERY_NS * -(-self.processes // TICKERS)

    def check(self) -> None:
        """Raise BadInput for a plan that no fleet can carry out."""
        if not self.address.startswith("127."):
            hint = "load goes to this machine only: give an address like 127.0.0.1"
            raise BadInput(f"`{self.address}` is not an IPv4 loopback address", hint=hint)
        if not 1 <= self.processes <= MOST_PROCESSES:
            raise BadInput(f"{self.processes} generator processes; 1 to {MOST_PROCESSES} work")
        if self.rate and (self.requests < 1 or self.clients < self.processes):
            raise BadInput(
                f"{self.rate:g} requests a second for {self.for_s:g} s"
                f" on {self.clients} connections of {self.processes} processes are no load",
                hint="ask for one request or more, and for a connection of each process",
            )
        least = min(self.rate, self.for_s, self.clients, self.idle, self.seed)
        if min(least, self.ids - 1, self.streams - 1) < 0:
            raise BadInput("clients, idle, rate and seed are 0 or more, ids and streams 1 or more")
        for text in (self.path, self.idle_path):
            if not text.startswith("/"):
                raise BadInput(f"`{text}` is not a path", hint="begin it with `/`")
        for text in (self.path, self.idle_path, self.host, self.tally):
            if not text.isascii() or not text.isprintable() or " " in text:
                hint = "percent-encode what is not printable ASCII"
                raise BadInput(f"`{text}` cannot stand in an HTTP request", hint=hint)


def room(nofile: int, port_range: tuple[int, int]) -> int:
    """The most sockets that one process may hold with `nofile` descriptors and these local ports.

    Half the port range, since connects slow down past it; occupied and idle clients have a source
    address each, so that this is more careful than it must be for the two together.
    """
    ports = (port_range[1] - port_range[0] + 1) // 2
    return max(min(MOST_SOCKETS, nofile - OWN_DESCRIPTORS, ports), 0)


def processes_needed(clients: int, idle: int, nofile: int, port_range: tuple[int, int]) -> int:
    """How many processes hold so many clients, each with as many as `room` says."""
    most = room(nofile, port_range)
    if most < 1:
        raise BadInput(
            f"a generator process has no descriptor or port left for a client (nofile {nofile})",
            hint=f"raise the limit of open files above {OWN_DESCRIPTORS}, or widen the port range",
        )
    return max(-(-(clients + idle) // most), 1)


def share(total: int, index: int, parts: int) -> int:
    """What part `index` of `parts` gets when `total` is dealt out one by one."""
    return total // parts + (index < total % parts)


def shares(clients: int, idle: int, index: int, parts: int) -> tuple[int, int]:
    """A process's clients, occupied and idle; the odd ones are dealt from opposite ends.

    So no process has more than ceil((clients + idle) / parts), what `processes_needed` counts on.
    """
    return share(clients, index, parts), share(idle, parts - 1 - index, parts)


def allowed(wanted: int, whole: int, index: int, parts: int) -> int:
    """How many of `wanted` clients process `index` may open, out of its share of the `whole`.

    Dealt out PORTION by PORTION, so that at each moment few processes wake to open some. Over all
    processes it is never more than is wanted, and all of it at last; of each it never falls.
    """
    most = share(whole, index, parts)
    if wanted >= whole:
        return most
    rounds, rest = divmod(wanted, PORTION * parts)
    return min(rounds * PORTION + min(max(rest - index * PORTION, 0), PORTION), most)


def source_address(octet: int, index: int) -> str:
    """The address that clients of process `index` connect from."""
    return f"127.{octet}.{index // ADDRESSES_PER_ROW}.{index % ADDRESSES_PER_ROW + 1}"
