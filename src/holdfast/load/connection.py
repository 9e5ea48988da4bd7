"""Single acts on a client's socket, as a bare descriptor: connect, and what its breaking means.

Must not know requests, counts, or other sockets.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from typing import Final

ALERT: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
CLOSING: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
FAULTS: Final = (
    "refused",
    "reset",
    "connect timeout",
    "timeout",
    "bad status",
    "bad length",
    "bad nonce",
    "garbage",
    "closed early",
    "handshake",
    "certificate",
    "tls",
    "goaway",
    "stream reset",
    "EADDRNOTAVAIL",
    "EMFILE",
    "other",
)
"""Why a request failed."""
_FAULT_OF: Final = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EADDRNOTAVAIL: "EADDRNOTAVAIL",
    errno.EMFILE: "EMFILE",
    errno.ENFILE: "EMFILE",
}
_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""linux/in.h: the port is chosen by connect, so that the address bound takes no port for itself."""
_ACKED, _SENT_AND_SENT_AGAIN = struct.Struct("120x Q"), struct.Struct("200x Q Q")
"""linux/tcp.h, struct tcp_info: tcpi_bytes_acked; tcpi_bytes_sent and tcpi_bytes_retrans."""


class Fault(OSError):
    """What breaks a connection and has no number of the system's: one of FAULTS, and why."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.fault = name, text


def connect(source: str, target: tuple[str, int]) -> int:
    """Begin a connect from an address, and return the descriptor, which does not block."""
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((source, 0))
        code = sock.connect_ex(target)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        return sock.detach()


def fault_of(error: OSError, connecting: bool) -> tuple[str, str]:
    """The fault's name, one of FAULTS, and what the system said."""
    if isinstance(error, Fault):
        return error.fault
    name = _FAULT_OF.get(error.errno or 0, "other")
    if name == "timeout" and connecting:
        name = "connect timeout"
    return name, error.strerror or str(error)


def is_untaken(fd: int) -> bool:
    """Whether bytes sent on a broken connection were never acknowledged by the server's kernel.

    Then the server had closed before the last request came, so nobody can have begun to answer it.
    """
    with socket.socket(fileno=os.dup(fd)) as sock:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    if len(info) < _SENT_AND_SENT_AGAIN.size:
        return False
    (acked,) = _ACKED.unpack_from(info)
    sent, sent_again = _SENT_AND_SENT_AGAIN.unpack_from(info)
    return bool(acked - 1 < sent - sent_again)  # the connect itself is acknowledged as one byte
