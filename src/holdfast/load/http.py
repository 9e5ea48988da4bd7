"""HTTP/1.1 as a client sees it: renders requests, takes answers apart, and knows one seen before.

Pure: bytes in, bytes out. Never reads a socket or a clock; must not know whose request it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, NamedTuple

NONCE_HEADER: Final = "x-holdfast-nonce"
MOST_HEAD: Final = 65_536
"""Bytes of head, trailers or one chunk's size line after which an answer is garbage."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_START: Final = b"HTTP/1."
_NONCE: Final = NONCE_HEADER.encode()


def template_of(path: str, host: str, nonce: bool) -> bytes:
    """A request, to be filled in with as many ids as {id} stands in the path, then the nonce."""
    line = path.replace("%", "%%").replace("{id}", "%d")
    last = f"{NONCE_HEADER}: %016x\r\n" if nonce else ""
    host = host.replace("%", "%%")
    return f"GET {line} HTTP/1.1\r\nHost: {host}\r\n{last}\r\n".encode()


def renderer(path: str, host: str, ids: int, nonce: bool) -> Callable[[int], bytes]:
    """What turns a number of 64 bits into a request: its hex is the nonce, modulo `ids` the id."""
    template, places = template_of(path, host, nonce), path.count("{id}")
    if nonce:
        return lambda x: template % (*((x % ids,) * places), x)
    return lambda x: template % ((x % ids,) * places)


class Garbage(Exception):
    """What came is not an HTTP/1.1 answer; the message says why."""


class _Part(Enum):
    HEAD = auto()
    FIXED = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    UNTIL_CLOSE = auto()
    DONE = auto()


class Answer:
    """One answer, fed in any pieces: `feed()` until complete, `close()` when the server closed."""

    __slots__ = (
        "_held",
        "_left",
        "_part",
        "body_length",
        "excess",
        "keep_alive",
        "nonce",
        "says_when",
        "status",
        "tallied",
        "value",
    )

    def __init__(self, tallied: bytes | None = None) -> None:
        self.tallied = tallied
        """The header, in small letters, whose `value` is wanted."""
        self._part = _Part.HEAD
        self._held = b""
        self._left = 0
        self.status = 0
        """0 until the head is complete; never an interim one (100, 103)."""
        self.nonce: bytes | None = None
        self.keep_alive = False
        """Another request may follow on this connection."""
        self.says_when = False
        """It says when to ask again (`Retry-After`)."""
        self.body_length = 0
        """Bytes of body so far."""
        self.excess = 0
        """Bytes that came after the end of the answer."""
        self.value = b""

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {self.body_length} bytes, {self._part.name}>"

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; True once the answer is complete. Raises Garbage."""
        if self._held:
            data, self._held = self._held + data, b""
        while data and self._part is not _Part.DONE:
            rest = self._take(data)
            if rest is None:
                self._held = data
                return False
            data = rest
        self.excess += len(data)
        return self._part is _Part.DONE

    def close(self) -> bool:
        """The server closed: True if that completes the answer, since nothing said its length."""
        if self._part is _Part.UNTIL_CLOSE:
            self._part = _Part.DONE
        return self._part is _Part.DONE

    def _take(self, data: bytes) -> bytes | None:
        """What is left of `data` after the next step; None: more is needed to take it."""
        if self._part is _Part.FIXED:
            return self._body(data, _Part.DONE)
        if self._part is _Part.UNTIL_CLOSE:
            self.body_length += len(data)
            return b""
        if self._part is _Part.CHUNK:
            return self._body(data, _Part.CHUNK_END)
        if self._part is _Part.HEAD and data[:7] != _START[: len(data)]:
            raise Garbage(f"begins with {data[:16]!r}")
        mark = b"\r\n\r\n" if self._part is _Part.HEAD else b"\r\n"
        end = data.find(mark)
        if end < 0 or end > MOST_HEAD:
            if len(data) > MOST_HEAD:
                raise Garbage(f"has more than {MOST_HEAD} bytes of head or trailers")
            return None
        if self._part is _Part.HEAD:
            self._head(data[:end])
        elif self._part is _Part.CHUNK_SIZE:
            self._chunk(data[:end])
        elif self._part is _Part.CHUNK_END:
            if end:
                raise Garbage(f"has {data[:16]!r} behind a chunk")
            self._part = _Part.CHUNK_SIZE
        elif not end:
            self._part = _Part.DONE
        return data[end + len(mark) :]

    def _body(self, data: bytes, after: _Part) -> bytes:
        taken = min(self._left, len(data))
        self._left -= taken
        self.body_length += taken
        if not self._left:
            self._part = after
        return data[taken:]

    def _chunk(self, line: bytes) -> None:
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Garbage(f"has a chunk of size {line[:16]!r}")
        size = int(match[1], 16)
        self._left = size
        self._part = _Part.CHUNK if size else _Part.TRAILERS

    def _head(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        match = _STATUS.fullmatch(first)
        if match is None:
            raise Garbage(f"begins with {first[:32]!r}")
        status = int(match[2])
        if status < 200 and status != 101:
            return  # interim: the answer is still to come
        lengths: set[bytes] = set()
        codings = tokens = b""
        for line in lines:
            name, colon, value = line.partition(b":")
            name, value = name.lower(), value.strip()
            if not colon:
                raise Garbage(f"has a header line {line[:32]!r}")
            if name == b"content-length":
                lengths.add(value)
            elif name == b"transfer-encoding":
                codings = value.lower()
            elif name == b"connection":
                tokens = value.lower()
            elif name == _NONCE:
                self.nonce = value
            elif name == b"retry-after":
                self.says_when = True
            elif name == self.tallied:
                self.value = value
        self.status = status
        self.keep_alive = b"close" not in tokens if match[1] == b"1" else b"keep-alive" in tokens
        self._frame(lengths, codings)

    def _frame(self, lengths: set[bytes], codings: bytes) -> None:
        """Decide where the body ends (RFC 9112, section 6.3)."""
        if self.status in (204, 304):
            self._part = _Part.DONE
        elif codings.endswith(b"chunked"):
            self._part = _Part.CHUNK_SIZE
        elif lengths and not codings:
            length = lengths.pop()
            if lengths or not _DIGITS.fullmatch(length):
                raise Garbage(f"has a Content-Length of {length[:32]!r}")
            self._left = int(length)
            self._part = _Part.FIXED if self._left else _Part.DONE
        else:
            self.keep_alive = False
            self._part = _Part.UNTIL_CLOSE


class Layout(NamedTuple):
    """The head of a good answer, around its nonce: the next one with the same head is good too.

    An answer of the same total length whose head differs in nothing but the nonce has the same
    framing, status and body length, so it need not be taken apart again.
    """

    head: bytes
    has_nonce: bool
    """`head` is a template then, to be filled in with the nonce as a number."""


def layout_of(data: bytes, nonce: bytes | None) -> Layout | None:
    """The layout of one whole answer, read in one piece; None when it can have none."""
    head = data[: data.index(b"\r\n\r\n") + 4]
    if not nonce:
        return Layout(head, False)
    before, found, after = head.replace(b"%", b"%%").partition(nonce)
    return Layout(before + b"%016x" + after, True) if found else None
