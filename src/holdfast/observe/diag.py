"""Asks the kernel for its sockets over netlink (sock_diag): what is sent, what comes back.

Must not know whose sockets they are, nor what is looked for. Needs no privilege.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

# linux/netlink.h, linux/sock_diag.h
_NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_DUMP_REQUEST: Final = 0x301
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_DONE_BYTES: Final = 20  # a header and a status

_READ_BYTES: Final = 1 << 17
_PATIENCE_S: Final = 10.0


class Diag:
    """A netlink socket that dumps sockets; raises OSError where there is none to be had."""

    def __init__(self) -> None:
        self._sequence = 0
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
        self._socket.settimeout(_PATIENCE_S)

    def dump(self, request: bytes) -> Iterator[bytes]:
        """Yield buffers of messages that answer a request; raises OSError."""
        self._sequence += 1
        length = HEADER.size + len(request)
        header = HEADER.pack(length, SOCK_DIAG_BY_FAMILY, _NLM_F_DUMP_REQUEST, self._sequence, 0)
        self._socket.send(header + request)
        while True:
            data = self._socket.recv(_READ_BYTES)
            _, kind, _, sequence, _ = HEADER.unpack_from(data)
            if sequence != self._sequence:
                continue  # what is left of a dump that was not read to its end
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                number = -struct.unpack_from("=i", data, HEADER.size)[0]
                raise OSError(number, os.strerror(number))
            sockets, is_last = without_end(data, self._sequence)
            yield sockets
            if is_last:
                return

    def close(self) -> None:
        """Close the netlink socket."""
        self._socket.close()


def messages(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each socket's record starts and how long it is, one by one."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, *_ = HEADER.unpack_from(data, at)
        if kind != SOCK_DIAG_BY_FAMILY or not HEADER.size < length <= len(data) - at:
            return
        yield at + HEADER.size, length - HEADER.size
        at += (length + 3) & ~3


def without_end(data: bytes, sequence: int) -> tuple[bytes, bool]:
    """The messages of one read without the dump's end, and whether that stood behind them.

    Kernels may send the end by itself or behind the last sockets.
    """
    at = len(data) - _DONE_BYTES
    if at > 0:
        length, kind, _, number, _ = HEADER.unpack_from(data, at)
        if (length, kind, number) == (_DONE_BYTES, _NLMSG_DONE, sequence):
            return data[:at], True
    return data, False
