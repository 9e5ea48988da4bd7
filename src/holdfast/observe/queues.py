"""Every socket that is listened on, by its inode, with the backlog that the kernel grants it.

Of this network namespace, over sock_diag. Must not know whose sockets they are.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from holdfast.observe.diag import Diag, messages

# linux/inet_diag.h: inet_diag_req_v2; inet_diag_msg as far as the source, then from the queues on
_INET_REQUEST: Final = struct.Struct("=BBBxIH46x")  # up to the local port, 0 for any
_INET_SOURCE: Final = struct.Struct("=B3xHxx16s")
_INET_REST: Final = struct.Struct("=IIII")  # waiting, room, uid, inode
_INET_REST_AT: Final = 56
# linux/unix_diag.h: unix_diag_req; the head of unix_diag_msg; its attributes
_UNIX_REQUEST: Final = struct.Struct("=BBHIIIII")
_UNIX_HEAD: Final = struct.Struct("=BBBxI8x")
_ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
_SHOW_NAME, _SHOW_QUEUE = 0x1, 0x10
_NAME, _QUEUE = 0, 4
_LISTEN: Final = 1 << 10
_OTHERS: Final = 0xFFF & ~_LISTEN
_ANY: Final = 0xFFFFFFFF
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


class Listening(msgspec.Struct, frozen=True):
    """A listening socket: `host` and `port`, or the `path` that it was bound to, as it was given.

    `room` is its backlog as the kernel keeps it, after it was cut; `waiting` are in it now.
    """

    inode: int
    room: int
    waiting: int
    host: str = ""
    port: int = 0
    path: str = ""


def read_queues() -> tuple[Listening, ...]:
    """The listening sockets, TCP's and unix ones; raises OSError where the kernel does not say."""
    diag = Diag()
    try:
        inet = (one for family in _FAMILIES for one in _inet(diag, family))
        return (*inet, *_unix(diag, _LISTEN))
    finally:
        diag.close()


def read_accepted(by: Iterable[Listening]) -> frozenset[int]:
    """The inodes of the connections that came in by these sockets; raises OSError.

    Linear in them: the kernel drops those of another local port.
    """
    ports, paths = {one.port for one in by if one.port}, {one.path for one in by if one.path}
    diag = Diag()
    try:
        inet = (
            one.inode for port in ports for family in _FAMILIES for one in _inet(diag, family, port)
        )
        unix = (one.inode for one in _unix(diag, _OTHERS) if one.path in paths) if paths else ()
        return frozenset((*inet, *unix))
    finally:
        diag.close()


def _inet(diag: Diag, family: int, port: int = 0) -> Iterator[Listening]:
    """Those that listen, or what is connected to a port; a kernel without IPv6 has none of it."""
    states = _OTHERS if port else _LISTEN
    request = _INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, states, socket.htons(port))
    try:
        yield from _inet_said(diag, request)
    except OSError as error:
        if error.errno != errno.ENOENT or family == socket.AF_INET:
            raise


def _inet_said(diag: Diag, request: bytes) -> Iterator[Listening]:
    for data in diag.dump(request):
        for start, _ in messages(data):
            of, port, source = _INET_SOURCE.unpack_from(data, start)
            waiting, room, _, inode = _INET_REST.unpack_from(data, start + _INET_REST_AT)
            host = socket.inet_ntop(of, source if of == socket.AF_INET6 else source[:4])
            yield Listening(inode, room, waiting, host, socket.ntohs(port))


def _unix(diag: Diag, states: int) -> Iterator[Listening]:
    """Those with a path; an abstract one, which begins with a zero byte, is left out."""
    show = _SHOW_NAME | _SHOW_QUEUE
    request = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, states, 0, show, _ANY, _ANY)
    for data in diag.dump(request):
        for start, length in messages(data):
            _, _, _, inode = _UNIX_HEAD.unpack_from(data, start)
            told = _attributes(data[start + _UNIX_HEAD.size : start + length])
            waiting, room = struct.unpack_from("=II", told.get(_QUEUE, bytes(8)))
            path = told.get(_NAME, b"").rstrip(b"\0")
            if path and path[0]:
                yield Listening(inode, room, waiting, path=os.fsdecode(path))


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found
