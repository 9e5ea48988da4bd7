"""The kernel's own count: a port's established sockets and accept queues; counters of trouble.

Asks inet_diag and /proc/net. Must not know clients, apps or verdicts, and needs no privilege.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from holdfast.load.plan import IDLE_OCTET
from holdfast.model.errors import HoldfastError
from holdfast.observe.diag import HEADER, SOCK_DIAG_BY_FAMILY, Diag, messages

# linux/inet_diag.h
_REQUEST = struct.Struct("=BBBxI2H2I")  # inet_diag_req_v2 as far as the first word of the source
_REQUEST_BYTES: Final = 56
_QUEUES = struct.Struct("=II")  # idiag_rqueue, idiag_wqueue
_QUEUES_AT: Final = 56
_PEER_AT: Final = 24
_ESTABLISHED, _LISTEN = 1 << 1, 1 << 10

_COUNTERS: Final = {
    "/proc/net/netstat": (
        *("ListenOverflows", "ListenDrops", "TCPReqQFullDrop", "TCPReqQFullDoCookies"),
        *("TCPTimeouts", "TCPSynRetrans", "TCPRetransFail", "TCPBacklogDrop", "TCPRcvQDrop"),
        *("TCPAbortOnMemory", "TCPAbortOnTimeout", "TCPMemoryPressures", "PruneCalled"),
        *("TCPTimeWaitOverflow",),
    ),
    "/proc/net/snmp": ("AttemptFails", "EstabResets", "RetransSegs"),
}
SOFTNET_DROPS: Final = "softnet_drops"
"""Packets that the machine itself dropped because its input queue was full."""


class Established(msgspec.Struct, frozen=True):
    """Established server ends of a port, by who is at the other end."""

    occupied: int
    idle: int


class Queue(msgspec.Struct, frozen=True):
    """Connections that wait to be accepted, over all listening sockets, and the room for them.

    `fullest` is the part of its room that the fullest socket has taken, 0 to 1: hashing does not
    ask which queue has room, so the fullest one decides when connects are dropped. `most` is how
    many wait in the queue that holds most.
    """

    queued: int
    backlog: int
    sockets: int
    fullest: float = 0.0
    most: int = 0


class PortWitness:
    """Reads what the kernel knows of one local TCP port, in this network namespace.

    Raises HoldfastError at the first read where the kernel or a sandbox offers no inet_diag.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._families: tuple[int, ...] = (socket.AF_INET, socket.AF_INET6)
        """Of the listeners, when last looked at; a connection has its listener's."""
        try:
            self._diag = Diag()
        except OSError as error:
            raise _refused(error) from error

    def established(self) -> Established:
        """Count sockets whose local port is ours: one end of each connection.

        A peer whose second octet is IDLE_OCTET is an idle client. Linear: the kernel walks its
        table of connections, once for each family that listens (`queue` saw which), and the answer
        is parsed by slices, not a socket at a time.
        """
        total = idle = 0
        for family in self._families:
            # An IPv4 peer lies in the first word of its field, an IPv4-mapped one in the last.
            octet_at = 1 if family == socket.AF_INET else 13
            for data in self._dump(family, _ESTABLISHED):
                counted = count_messages(data, _PEER_AT + octet_at, IDLE_OCTET)
                total, idle = total + counted[0], idle + counted[1]
        return Established(total - idle, idle)

    def queue(self) -> Queue:
        """Sum the accept queues of the sockets that listen on the port; costs microseconds."""
        queued = backlog = sockets = most = 0
        fullest = 0.0
        listening = []
        for family in (socket.AF_INET, socket.AF_INET6):
            for data in self._dump(family, _LISTEN):
                for start, _ in messages(data):
                    listening.append(family)
                    waiting, room = _QUEUES.unpack_from(data, start + _QUEUES_AT)
                    queued, backlog, sockets = queued + waiting, backlog + room, sockets + 1
                    fullest = max(fullest, waiting / room if room else 0.0)
                    most = max(most, waiting)
        if listening:
            self._families = tuple(dict.fromkeys(listening))
        return Queue(queued, backlog, sockets, fullest, most)

    def close(self) -> None:
        """Close the netlink socket."""
        self._diag.close()

    def _dump(self, family: int, states: int) -> Iterator[bytes]:
        """Yield buffers of messages; the kernel itself drops those of another local port."""
        port = socket.htons(self._port)
        body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, states, port, 0, 0, 0)
        try:
            yield from self._diag.dump(body.ljust(_REQUEST_BYTES, b"\0"))
        except OSError as error:
            if error.errno == errno.ENOENT and family == socket.AF_INET6:
                return  # a kernel without IPv6
            raise _refused(error) from error


def count_messages(data: bytes, at: int, wanted: int) -> tuple[int, int]:
    """Count the messages of one netlink read, and those whose byte `at` of the record is `wanted`.

    Messages of one dump nearly always have one size: then two slices do it. Where the sizes
    differ, they are walked one by one.
    """
    size = (struct.unpack_from("=I", data)[0] + 3) & ~3
    count, rest = divmod(len(data), size)
    if rest == 0 and size < 1 << 16:
        low, high = size & 0xFF, size >> 8
        same_low, same_high = data[0::size].count(low), data[1::size].count(high)
        if same_low == same_high == count == data[4::size].count(SOCK_DIAG_BY_FAMILY):
            return count, data[HEADER.size + at :: size].count(wanted)
    starts = [start for start, _ in messages(data)]
    return len(starts), sum(data[start + at] == wanted for start in starts)


def read_counters() -> dict[str, int]:
    """The whole machine's counters of refused, dropped and retried packets; missing ones left out.

    From /proc/net/netstat, /proc/net/snmp, /proc/net/softnet_stat (second column), /proc/vmstat.
    """
    found: dict[str, int] = {}
    for path, wanted in _COUNTERS.items():
        lines = _lines(path)
        for names, values in zip(lines[0::2], lines[1::2], strict=False):
            pairs = dict(zip(names.split()[1:], values.split()[1:], strict=False))
            found.update({name: int(pairs[name]) for name in wanted if name in pairs})
    found[SOFTNET_DROPS] = sum(int(row.split()[1], 16) for row in _lines("/proc/net/softnet_stat"))
    for line in _lines("/proc/vmstat"):
        if line.startswith("oom_kill "):
            found["oom_kill"] = int(line.split()[1])
    return found


def moved(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """The counters that grew, and by how much."""
    grown = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in grown.items() if count > 0}


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _refused(error: OSError) -> HoldfastError:
    return HoldfastError(
        f"the kernel does not say which sockets are open: {error.strerror or error}",
        place="inet_diag (NETLINK_SOCK_DIAG)",
        hint="load the module tcp_diag, or allow AF_NETLINK in the sandbox",
    )
