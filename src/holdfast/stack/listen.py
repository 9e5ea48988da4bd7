"""The listening sockets of a stack: one per slot on one port, and never on somebody else's.

Decides how a port is taken; knows nothing of the workers that will accept.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import ipaddress
import random
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.holder import holder_of

LOWEST_FREE_PORT: Final = 10_240
_SO_ATTACH_FILTER: Final = 26
_SO_ATTACH_REUSEPORT_CBPF: Final = 51
_QUEUED_AT, _ROOM_AT = 24, 28
"""tcpi_unacked and tcpi_sacked of linux/tcp.h: of a listening socket, its queue and its backlog."""
Instruction = tuple[int, int, int, int]
"""Of a classic socket filter: code, where to go if true, if false, and a value (linux/filter.h)."""


class Listening:
    """`slots` sockets that listen on one `port`, held open so that their queues outlive workers.

    The first one binds and listens alone, which the kernel grants to one program only, and joins
    SO_REUSEPORT after that; so two stacks cannot share a port, and there is no moment between a
    test and the deed. Port 0 takes a free one below the ephemeral range. Raises BadInput.
    """

    arrive_s: Final = 1.0
    """How long connections that are being made arrive at a hidden slot: a handshake on a long way,
    or one that the kernel has to repeat."""

    def __init__(self, address: str, port: int, slots: int, backlog: int) -> None:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            hint = "write it as a number, like `127.0.0.1`"
            raise BadInput(f"`{address}` is not an address", hint=hint) from None
        if not 0 <= port <= 65_535:
            raise BadInput(f"{port} is not a port", hint="use 1 to 65535, or 0 for a free one")
        self.address = address
        self._family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
        self.sockets: dict[int, socket.socket] = {}
        """Each slot's, in the order in which the kernel has them."""
        try:
            self.sockets[0] = self._first(port, backlog)
            self.port: int = self.sockets[0].getsockname()[1]
            for slot in range(1, slots):
                self.sockets[slot] = self._further(backlog)
        except OSError as error:
            self.close()
            raise _refused(error, address, port or getattr(self, "port", 0)) from error
        self.backlog = granted(backlog)
        self._asked = backlog
        self._hidden: set[int] = set()

    def let_go(self) -> None:
        """Take no new connection, and leave those that the kernel has taken to the workers.

        Without this a connection made just before the last copy is closed would be reset. A client
        that connects now tries again a second later, and is refused.
        """
        self.refuse()
        self.close()

    def refuse(self) -> None:
        """Take no new connection; those that the kernel has taken can still be accepted."""
        for listener in self.sockets.values():
            with contextlib.suppress(OSError):
                _drop_first_packets(listener)

    def listener(self, slot: int, generation: int) -> socket.socket:
        """What the slot's next worker accepts from: every generation from the same one.

        A slot that was not there before is hidden until it is shown. Raises OSError.
        """
        if slot not in self.sockets:
            self.sockets[slot] = self._further(self._asked)
            self._hidden.add(slot)  # who came to it in this instant waits for its worker
            self._choose()
        return self.sockets[slot]

    def renew(self, slot: int, generation: int) -> None:
        """A replacement accepts from the same socket."""

    def show(self, slot: int) -> None:
        """A ready worker needs no pointing at, unless its slot was hidden."""
        if slot in self._hidden:
            self._hidden.discard(slot)
            self._choose()

    def drop(self, slot: int) -> None:
        """A former worker leaves no socket behind."""

    def restore(self, slot: int, generation: int) -> None:
        """A successor that never was ready leaves none either."""

    def hide(self, slot: int) -> None:
        """Nobody new is sent to the slot; who has begun to connect arrives within `arrive_s`."""
        self._hidden.add(slot)
        self._choose()

    def forget(self, slot: int) -> None:
        """No worker is left in a hidden slot: close its socket."""
        order = list(self.sockets)
        if slot not in order:
            return
        last = order.pop()
        if last != slot:  # where one is taken out, the kernel puts its last one
            order[order.index(slot)] = last
        self.sockets.pop(slot).close()
        self.sockets = {each: self.sockets[each] for each in order}
        self._hidden.discard(slot)
        self._choose()

    def _choose(self) -> None:
        """Have the kernel send each new connection to a slot that is not hidden, by lot.

        Its own choice is by a hash of the addresses over all sockets, so as even as this one.
        """
        shown = [at for at, slot in enumerate(self.sockets) if slot not in self._hidden]
        some = next(iter(self.sockets.values()))
        program, _kept = _program(_one_of(shown))
        some.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)

    def queued(self) -> tuple[int, ...]:
        """How many connections wait on each socket to be accepted."""
        return tuple(_tcp_info(listener, _QUEUED_AT) for listener in self.sockets.values())

    def rooms(self) -> tuple[int, ...]:
        """The backlog that the kernel grants each socket, as it is now."""
        return tuple(_tcp_info(listener, _ROOM_AT) for listener in self.sockets.values())

    def close(self) -> None:
        """Close our copies; connections that wait are reset once no worker has one either."""
        for listener in self.sockets.values():
            listener.close()

    def _first(self, port: int, backlog: int) -> socket.socket:
        for candidate in (port,) if port else _free_ports():
            listener = self._unbound()
            try:
                listener.bind((self.address, candidate))
                listener.listen(backlog)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            except OSError as error:
                listener.close()
                if port or error.errno != errno.EADDRINUSE:
                    raise
            else:
                return listener
        hint = "name a port, or stop a program that holds one"
        raise BadInput("no port below the ephemeral range is free", hint=hint)

    def _further(self, backlog: int) -> socket.socket:
        listener = self._unbound()
        with contextlib.ExitStack() as undo:
            undo.callback(listener.close)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((self.address, self.port))
            listener.listen(backlog)
            undo.pop_all()
        return listener

    def _unbound(self) -> socket.socket:
        listener = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return listener


def granted(backlog: int) -> int:
    """The backlog that the kernel grants a socket that asks for this one: somaxconn cuts it."""
    return min(backlog, _number("/proc/sys/net/core/somaxconn", 4096))


def _free_ports() -> Iterator[int]:
    """Ports to try: below the ephemeral range, where outgoing connections take none."""
    lowest_ephemeral = _number("/proc/sys/net/ipv4/ip_local_port_range", 32_768)
    ports = range(LOWEST_FREE_PORT, lowest_ephemeral) or range(1024, 65_536)
    return iter(random.sample(ports, min(len(ports), 2_000)))


def _refused(error: OSError, address: str, port: int) -> HoldfastError:
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        fault = f"port {port} is taken" + (f" by {holder}" if holder else "")
        return BadInput(fault, place=place, hint="use another port, or 0 for a free one")
    if error.errno in {errno.EACCES, errno.EPERM}:
        lowest = _number("/proc/sys/net/ipv4/ip_unprivileged_port_start", 1024)
        hint = f"use a port of {lowest} or more, or run it with CAP_NET_BIND_SERVICE"
        return BadInput(f"no permission to listen on port {port}", place=place, hint=hint)
    if error.errno == errno.EADDRNOTAVAIL:
        hint = "use one that `ip addr` shows, or `127.0.0.1`"
        return BadInput(f"this machine does not have the address {address}", place=place, hint=hint)
    return HoldfastError(f"cannot listen: {error.strerror}", place=place)


def _drop_first_packets(listener: socket.socket) -> None:
    """Have the kernel ignore packets with SYN and without ACK, by a classic socket filter."""
    program, _kept = _program(
        (
            (0x30, 0, 0, 13),  # load the byte of the TCP flags
            (0x54, 0, 0, 0x12),  # keep SYN and ACK of it
            (0x15, 0, 1, 0x02),  # only SYN: go on, else skip one
            (0x06, 0, 0, 0),  # drop
            (0x06, 0, 0, 0xFFFFFFFF),  # let pass
        )
    )
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _one_of(places: list[int]) -> tuple[Instruction, ...]:
    """A filter that draws one of the places; the first where there is only one."""
    draw = ((0x20, 0, 0, 0xFFFFF038), (0x94, 0, 0, len(places)))  # a random word, modulo so many
    cases = ((0x15, 0, 1, at) for at in range(len(places) - 1))
    answers = ((0x06, 0, 0, place) for place in places)
    pairs = (line for pair in zip(cases, answers, strict=False) for line in pair)
    return (*draw, *pairs, (0x06, 0, 0, places[-1]))


def _program(lines: Sequence[Instruction]) -> tuple[bytes, object]:
    """A classic socket filter as the kernel takes it, and what has to be kept until it has."""
    text = b"".join(struct.pack("HBBI", *line) for line in lines)
    kept = ctypes.create_string_buffer(text)
    return struct.pack("HP", len(lines), ctypes.addressof(kept)), kept


def _tcp_info(listener: socket.socket, at: int) -> int:
    """A word of TCP_INFO; 0 for a socket that is closed."""
    if listener.fileno() < 0:
        return 0
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
    return int(struct.unpack_from("=I", info, at)[0])


def _number(path: str, otherwise: int) -> int:
    """The first number in a file of /proc."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[0])
    except OSError:
        return otherwise
