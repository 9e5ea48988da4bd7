"""The backlog that the kernel grants a unix socket, which no socket option tells: unix_diag does.

Asks the kernel only. Must not know whose socket it is.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

# linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_REQUEST: Final = struct.Struct("=BBHIIIII")  # family, protocol, pad, states, inode, show, cookie
_MESSAGE_BYTES: Final = 16
_ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
_SHOW_QUEUE: Final = 0x10
_QUEUE: Final = 4
_ANY: Final = 0xFFFFFFFF
_READ_BYTES: Final = 8192


def unix_room(listener: socket.socket) -> int | None:
    """How many connections may wait on a listening unix socket; None where the kernel is silent."""
    inode = os.fstat(listener.fileno()).st_ino
    asked = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ANY, inode, _SHOW_QUEUE, _ANY, _ANY)
    head = _HEADER.pack(_HEADER.size + len(asked), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            kernel.send(head + asked)
            answer = kernel.recv(_READ_BYTES)
    except OSError:  # a kernel without unix_diag
        return None
    if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    at = _HEADER.size + _MESSAGE_BYTES
    while at + _ATTRIBUTE.size <= len(answer):
        length, kind = _ATTRIBUTE.unpack_from(answer, at)
        if kind == _QUEUE:
            return int(struct.unpack_from("=II", answer, at + _ATTRIBUTE.size)[1])
        at += max(_ATTRIBUTE.size, length + 3 & ~3)
    return None
