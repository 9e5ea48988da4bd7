"""HTTP/2 as a client sees it: splits what came into frames, renders requests, takes answers apart.

Pure: bytes in, bytes out. The server is told to keep no table of headers, so that each block of
them stands for itself (RFC 9113, RFC 7541). Must not know whose request it was.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from hpack import Decoder, HPACKError

from holdfast.load.http import NONCE_HEADER, Garbage

DATA, HEADERS, _PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION = 8, 9
ACK = END_STREAM = 0x1
END_HEADERS: Final = 0x4
_PADDED, _WITH_PRIORITY = 0x8, 0x20
CANCEL: Final = 8
CODES: Final = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)
LAST_STREAM: Final = (1 << 31) - 1
WINDOW: Final = (1 << 31) - 1
"""Bytes of answers that a server may send unasked: as many as there can be, on a stream for good,
on a connection given again after RENEW of them."""
RENEW: Final = 1 << 30
MOST_FRAME: Final = 16_384
MOST_STREAMS: Final = 3
"""SETTINGS_MAX_CONCURRENT_STREAMS."""

_HEAD = struct.Struct(">HBBBI")  # length in three bytes, kind, flags, stream
_SETTING = struct.Struct(">HI")
_WORD = struct.Struct(">I")
_USUAL_WINDOW: Final = 65_535
_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW = 1, 2, 4
_STATIC_GET, _STATIC_SLASH, _SCHEMES = 0x82, 0x84, {False: 0x86, True: 0x87}
_AUTHORITY, _PATH, _NEW_NAME = b"\x01", b"\x04", b"\x00"
_MOST_HEADERS: Final = 65_536


class Frame(NamedTuple):
    """One frame, without its head."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """The bytes of a frame."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def reset(stream: int) -> bytes:
    """What tells a server that nobody waits for the answer on a stream."""
    return frame(RST_STREAM, 0, stream, _WORD.pack(CANCEL))


def window(more: int) -> bytes:
    """What lets a server send so many bytes more on the connection."""
    return frame(WINDOW_UPDATE, 0, 0, _WORD.pack(more))


GREETING: Final = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(
        SETTINGS,
        0,
        0,
        _SETTING.pack(_TABLE_SIZE, 0)
        + _SETTING.pack(_ENABLE_PUSH, 0)
        + _SETTING.pack(_INITIAL_WINDOW, WINDOW),
    )
    + window(WINDOW - _USUAL_WINDOW)
)
SETTINGS_TAKEN: Final = frame(SETTINGS, ACK, 0, b"")


def renderer(path: str, host: str, ids: int, nonce: bool, tls: bool) -> Callable[[int], bytes]:
    """What turns a number of 64 bits into a request's block of headers, as `http.renderer` does."""
    start = bytes((_STATIC_GET, _SCHEMES[tls])) + _AUTHORITY + _text(host)
    name = _NEW_NAME + _text(NONCE_HEADER) + b"\x10"
    fixed = None if "{id}" in path else start + _path(path)

    def render(number: int) -> bytes:
        block = fixed or start + _path(path.replace("{id}", str(number % ids)))
        return block + name + b"%016x" % number if nonce else block

    return render


def _path(path: str) -> bytes:
    return bytes((_STATIC_SLASH,)) if path == "/" else _PATH + _text(path)


def _text(text: str) -> bytes:
    """A string as it is, behind its length (RFC 7541, 5.1 and 5.2)."""
    size, data = len(text), text.encode()
    if size < 127:
        return bytes((size,)) + data
    size -= 127
    head = bytearray((127,))
    while size >= 128:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + data


class StreamAnswer:
    """One answer on a stream, fed header blocks and pieces of body."""

    __slots__ = ("body_length", "length", "nonce", "says_when", "status", "tallied", "value")
    excess = 0
    keep_alive = True
    """Nothing follows the end of an answer on its stream, nor ends the others' connection."""

    def __init__(self, tallied: bytes | None = None) -> None:
        self.tallied = tallied
        """The header, in small letters, whose `value` is wanted."""
        self.value = b""
        self.status = 0
        """0 until the head is complete; never an interim one (100, 103)."""
        self.nonce: bytes | None = None
        self.says_when = False
        self.length: int | None = None
        """Bytes of body that its head tells of."""
        self.body_length = 0
        """Bytes of body so far."""

    @property
    def is_cut(self) -> bool:
        """Whether the body is not as long as the head tells."""
        return self.length not in (None, self.body_length) and self.status != 304

    def take(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Take a block of headers; behind the body it is trailers. Raises Garbage."""
        if self.status:
            return
        found = dict(headers)
        status, length = found.get(b":status", b""), found.get(b"content-length")
        if len(status) != 3 or not status.isdigit():
            raise Garbage(f"has the status {status[:16]!r}")
        if status.startswith(b"1"):
            return
        if length is not None and not (length.isdigit() and len(length) < 19):
            raise Garbage(f"has a Content-Length of {length[:32]!r}")
        self.status = int(status)
        self.nonce = found.get(NONCE_HEADER.encode())
        self.says_when = b"retry-after" in found
        if self.tallied is not None:
            self.value = found.get(self.tallied, b"")
        self.length = None if length is None else int(length)


class Frames:
    """What comes on one connection, fed in any pieces."""

    def __init__(self) -> None:
        self.body_bytes = 0
        """Bytes of all bodies so far, as the window of the connection counts them."""
        self._held = b""
        self._begun: Frame | None = None
        """Headers whose block goes on in the next frame."""
        self._decoder: Decoder = Decoder(_MOST_HEADERS)
        self._decoder.max_allowed_table_size = self._decoder.header_table_size = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the next bytes and yield what is whole, padding gone, headers in one piece.

        Raises Garbage where it is no HTTP/2.
        """
        if self._held:
            data, self._held = self._held + data, b""
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
            size = high << 8 | low
            if size > MOST_FRAME:
                raise Garbage(f"is no HTTP/2, or has too large a frame: {data[at : at + 16]!r}")
            if end - at < _HEAD.size + size:
                break
            at += _HEAD.size
            whole = self._whole(Frame(kind, flags, stream & LAST_STREAM, data[at : at + size]))
            at += size
            self.body_bytes += size * (kind == DATA)
            if whole is not None:
                yield whole
        self._held = data[at:]

    def headers(self, block: bytes) -> Iterable[tuple[bytes, bytes]]:
        """What a whole block says. Raises Garbage."""
        try:
            return self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise Garbage(f"has headers that nobody can read: {error}") from None

    def _whole(self, one: Frame) -> Frame | None:
        """The frame without padding; None while its headers go on."""
        begun = self._begun
        if (one.kind == CONTINUATION) != (begun is not None):
            raise Garbage(f"has a frame of kind {one.kind} out of its order")
        if begun is not None:
            if one.stream != begun.stream or len(begun.payload) > _MOST_HEADERS:
                raise Garbage("has a block of headers without an end")
            payload = begun.payload + one.payload
            one = Frame(HEADERS, begun.flags | one.flags & END_HEADERS, one.stream, payload)
        elif one.kind in (DATA, HEADERS) and one.flags & (_PADDED | _WITH_PRIORITY):
            one = one._replace(payload=_unpadded(one))
        is_begun = one.kind == HEADERS and not one.flags & END_HEADERS
        self._begun = one if is_begun else None
        return None if is_begun else one


def _unpadded(one: Frame) -> bytes:
    """The payload without padding and priority."""
    payload, end = one.payload, len(one.payload)
    at = 0
    if one.flags & _PADDED and payload:
        at, end = 1, end - payload[0]
    if one.kind == HEADERS and one.flags & _WITH_PRIORITY:
        at += 5
    if at > end:
        raise Garbage("has more padding than payload")
    return payload[at:end]


def settings(payload: bytes) -> dict[int, int]:
    """What a server says of itself, by the number of the setting. Raises Garbage."""
    if len(payload) % _SETTING.size:
        raise Garbage(f"has settings of {len(payload)} bytes")
    return dict(_SETTING.iter_unpack(payload))


def goaway(payload: bytes) -> tuple[int, str]:
    """The last stream that a server took up, and why it goes. Raises Garbage."""
    if len(payload) < 2 * _WORD.size:
        raise Garbage("has a GOAWAY that is cut off")
    last, code = struct.unpack_from(">II", payload)
    return last & LAST_STREAM, name_of(code)


def reason(payload: bytes) -> str:
    """Why a server reset a stream. Raises Garbage."""
    if len(payload) != _WORD.size:
        raise Garbage("has a RST_STREAM that is cut off")
    return name_of(_WORD.unpack(payload)[0])


def name_of(code: int) -> str:
    """The name of an error code."""
    return CODES[code] if code < len(CODES) else f"code {code}"
