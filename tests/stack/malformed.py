"""Requests that are malformed, ambiguous, oversized or none at all: a row each. Data only.

A row says what each edge answers, and the app has seen one request for each 200 and no other. What
differs between the edges is where RFC 9112 leaves the choice, or where only one of them looks.
"""

from __future__ import annotations

from typing import NamedTuple

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
"""What a smuggler puts into a body: nobody may ever see it as a request."""
GET, POST = b"GET / HTTP/1.1", b"POST / HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
LAST = b"0\r\n\r\n"
HELLO = b"5\r\nhello\r\n" + LAST


class Row(NamedTuple):
    """The bytes of a connection, the statuses that nginx and HAProxy answer with, in order.

    `bodies` are the lengths that the app has read, of each request that it has seen; `worker` says
    whose 400 is the worker's parser's, since that edge takes no offence.
    """

    name: str
    data: bytes
    nginx: tuple[int, ...]
    haproxy: tuple[int, ...]
    bodies: tuple[int, ...] = ()
    worker: tuple[str, ...] = ()


def request(*lines: bytes, host: bytes = b"Host: x", body: bytes = b"") -> bytes:
    """A request line, then a Host, then other header lines, then a body."""
    first, *others = lines
    return b"\r\n".join([first, *([host] if host else []), *others, b"", body])


def refused(name: str, data: bytes, nginx: int = 400, haproxy: int = 400) -> Row:
    """A row that reaches no app."""
    return Row(name, data, (nginx,), (haproxy,))


def taken(name: str, data: bytes, *bodies: int) -> Row:
    """A row that is no fault, or one that both edges mend."""
    answers = (200,) * (len(bodies) or 1)
    return Row(name, data, answers, answers, bodies or (0,))


def split(name: str, data: bytes, nginx: int, haproxy: int, body: int = 0, worker: str = "") -> Row:
    """A row of which the edges think differently: one passes it on, or answers otherwise."""
    return Row(name, data, (nginx,), (haproxy,), (body,), (worker,))


REQUEST_LINES = (
    taken("plain", request(GET)),
    refused("character that no method has", request(b"G@T / HTTP/1.1")),
    split("small letters", request(b"get / HTTP/1.1"), 400, 400, worker="haproxy"),
    Row("unknown method", request(b"BREW / HTTP/1.1"), (400,), (400,), (), ("nginx", "haproxy")),
    refused("no target", request(b"GET HTTP/1.1")),
    refused("target without a slash", request(b"GET foo HTTP/1.1")),
    refused("space in the target", request(b"GET /a b HTTP/1.1")),
    refused("control in the target", request(b"GET /a\x01b HTTP/1.1")),
    refused("NUL in the target", request(b"GET /a\x00b HTTP/1.1")),
    split("eighth bit in the target", request(b"GET /\xff HTTP/1.1"), 400, 400, worker="nginx"),
    split("tabs for spaces", request(b"GET\t/\tHTTP/1.1"), 400, 200),
    refused("CONNECT", request(b"CONNECT x:80 HTTP/1.1"))._replace(worker=("haproxy",)),
    refused("leading space", b" " + request(GET)),
    refused("version 2.0", request(b"GET / HTTP/2.0"), 505),
    refused("version 3", request(b"GET / HTTP/3"), 505),
    refused("version 11", request(b"GET / HTTP/11"), 505),
    refused("version in small letters", request(b"GET / http/1.1")),
    refused("another protocol", request(b"GET / HTPP/1.1")),
    refused("version with a tail", request(b"GET / HTTP/1.1x")),
    Row("HTTP/0.9", b"GET /\r\n\r\n", (), (400,)),
    taken("HTTP/1.0 without a host", b"GET / HTTP/1.0\r\n\r\n"),
    refused("target of 40,000 bytes", request(b"GET /" + b"a" * 40_000 + b" HTTP/1.1"), 414),
    taken("target of 7,000 bytes", request(b"GET /" + b"a" * 7_000 + b" HTTP/1.1")),
    taken("empty lines before", b"\r\n\r\n" + request(GET)),
    taken("a thousand empty lines before", b"\r\n" * 1_000 + request(GET)),
)

HEADERS = (
    split("no colon", request(GET, b"Broken"), 200, 400),
    refused("transfer encoding without a colon", request(POST, b"Transfer-Encoding"), 501),
    refused("space before the colon", request(GET, b"Broken : x")),
    refused("space before a length's colon", request(POST, b"Content-Length : 5", body=b"hello")),
    refused(
        "tab before an encoding's colon",
        request(POST, b"Transfer-Encoding\t: chunked", body=LAST + HIDDEN),
    ),
    refused("no name", request(GET, b": x")),
    split("bracket in a name", request(GET, b"a(b: x"), 200, 400),
    split("eighth bit in a name", request(GET, b"a\xffb: x"), 200, 400),
    refused("control in a name", request(GET, b"a\x0bb: x")),
    refused("NUL in a name", request(GET, b"a\x00b: x")),
    refused("NUL in a value", request(GET, b"a: x\x00y")),
    split("control in a value", request(GET, b"a: x\x01y"), 400, 400, worker="nginx"),
    split("delete in a value", request(GET, b"a: x\x7fy"), 400, 400, worker="nginx"),
    taken("eighth bit in a value", request(GET, b"a: x\xffy")),
    taken("LF without CR", b"GET / HTTP/1.1\nHost: x\n\n"),
    refused("CR without LF in a value", request(GET, b"a: x\ry: z")),
    refused("CR without LF as a line's end", b"GET / HTTP/1.1\rHost: x\r\r\n\r\n"),
    split("CR twice", b"GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", 200, 400),
    split("folded value", request(GET, b"a: x\r\n y"), 400, 200),
    refused("folded request line", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    refused("folded length", request(POST, b"Content-Length: 5\r\n 0", body=b"hello")),
    split("folded encoding", request(POST, b"Transfer-Encoding:\r\n chunked", body=LAST), 400, 200),
    refused("two hosts", request(GET, b"Host: y")),
    split("one host twice", request(GET, b"Host: x"), 400, 200),
    refused("no host", request(GET, host=b"")),
    refused("empty host", request(GET, host=b"Host:")),
    refused("path in the host", request(GET, host=b"Host: x/y")),
    refused("space in the host", request(GET, host=b"Host: x y")),
    refused("list of hosts", request(GET, host=b"Host: x, y")),
    split("user in the host", request(GET, host=b"Host: a@x"), 200, 400),
    split("target of another host", request(b"GET http://y/ HTTP/1.1"), 200, 400),
    taken("target of the same host", request(b"GET http://x/ HTTP/1.1")),
    refused("target with a host, and no Host", request(b"GET http://y/ HTTP/1.1", host=b"")),
    refused("header of 40,000 bytes", request(GET, b"a: " + b"x" * 40_000)),
    taken("header of 7,000 bytes", request(GET, b"a: " + b"x" * 7_000)),
    taken("90 headers", request(GET, *[b"h%d: x" % n for n in range(90)])),
    split("500 headers", request(GET, *[b"h%d: x" % n for n in range(500)]), 200, 400),
    refused("10,000 headers", request(GET, *[b"h%d: x" % n for n in range(10_000)])),
    refused("60,000 bytes of headers", request(GET, *[b"a: " + b"x" * 6_000] * 10)),
)

LENGTHS = (
    taken("length", request(POST, b"Content-Length: 5", body=b"hello"), 5),
    refused(
        "two lengths", request(POST, b"Content-Length: 5", b"Content-Length: 6", body=b"hello!")
    ),
    split(
        "one length twice",
        request(POST, b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
        *(400, 200, 5),
    ),
    refused("list of lengths", request(POST, b"Content-Length: 5, 6", body=b"hello!")),
    *(
        refused(
            f"length `{text}`", request(POST, b"Content-Length: " + text.encode(), body=b"hello")
        )
        for text in ("-5", "+5", "0x5", "five", "", "5 5", "5.0", "18446744073709551621")
    ),
    refused("length past the limit", request(POST, b"Content-Length: 1048577"), 413, 413),
    refused("length of 2^63 - 1", request(POST, b"Content-Length: 9223372036854775807"), 413, 413),
    taken("length with a zero before", request(POST, b"Content-Length: 05", body=b"hello"), 5),
    taken(
        "body at the limit",
        request(POST, b"Content-Length: 1048576", body=b"x" * 1_048_576),
        1_048_576,
    ),
    taken(
        "request in the body of a GET",
        request(GET, b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        len(HIDDEN),
    ),
    taken(
        "length that is a connection's",
        request(
            POST, b"Content-Length: %d" % len(HIDDEN), b"Connection: Content-Length", body=HIDDEN
        ),
        len(HIDDEN),
    ),
    taken(
        "length with an underscore",
        request(POST, b"Content_Length: 0", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        len(HIDDEN),
    ),
    taken(
        "100-continue",
        request(POST, b"Content-Length: 5", b"Expect: 100-continue", body=b"hello"),
        5,
    )._replace(nginx=(100, 200), haproxy=(100, 200)),
)


def encoded(value: bytes, nginx: int = 501, haproxy: int = 400) -> Row:
    """A transfer encoding that one reader may take for `chunked`, and another not."""
    data = request(POST, b"Transfer-Encoding: " + value, body=LAST + HIDDEN)
    return refused(f"encoding `{value.decode()!r}`", data, nginx, haproxy)


ENCODINGS = (
    # HAProxy takes the encoding, and closes after the answer (RFC 9112, 6.3); nginx neither.
    split(
        "length and encoding",
        request(POST, b"Content-Length: 5", CHUNKED, body=LAST + HIDDEN),
        *(400, 200),
    ),
    split(
        "encoding and length",
        request(POST, CHUNKED, b"Content-Length: %d" % len(LAST + HIDDEN), body=LAST + HIDDEN),
        *(400, 200),
    ),
    split("encoding in HTTP/1.0", request(b"POST / HTTP/1.0", CHUNKED, body=LAST), 400, 200),
    encoded(b"identity"),
    encoded(b"chunked, identity"),
    encoded(b"identity, chunked", haproxy=422),
    encoded(b"gzip, chunked", haproxy=422),
    encoded(b"gzip"),
    encoded(b"chunked, chunked"),
    encoded(b"chunked,", haproxy=501),
    encoded(b"xchunked"),
    encoded(b"\x0bchunked"),
    encoded(b'"chunked"'),
    encoded(b"chunked;q=1"),
    encoded(b"chunked\x00", nginx=400),
    encoded(b""),
    refused("encoding twice", request(POST, CHUNKED, CHUNKED, body=LAST)),
    refused(
        "two encodings",
        request(POST, CHUNKED, b"Transfer-Encoding: identity", body=LAST + HIDDEN),
    ),
    refused(
        "unknown encoding and a length",
        request(POST, b"Transfer-Encoding: x", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        501,
    ),
    split(
        "tab before `chunked`", request(POST, b"Transfer-Encoding:\tchunked", body=LAST), 501, 200
    ),
    taken("large letters", request(POST, b"TRANSFER-ENCODING: CHUNKED", body=LAST)),
    taken(
        "encoding with an underscore",
        request(
            *(POST, b"Transfer_Encoding: chunked", b"Content-Length: %d" % len(LAST + HIDDEN)),
            body=LAST + HIDDEN,
        ),
        len(LAST + HIDDEN),
    ),
    taken(
        "encoding that is a connection's",
        request(POST, CHUNKED, b"Connection: Transfer-Encoding", body=HELLO),
        5,
    ),
)


def sized(size: bytes, nginx: int = 400, haproxy: int = 400) -> Row:
    """A chunk of five bytes that says another size."""
    data = request(POST, CHUNKED, body=size + b"\r\nhello\r\n" + LAST)
    return refused(f"chunk of `{size.decode()[:20]}`", data, nginx, haproxy)


CHUNKS = (
    taken("chunk", request(POST, CHUNKED, body=HELLO), 5),
    taken("extension", request(POST, CHUNKED, body=b"5;a=b\r\nhello\r\n" + LAST), 5),
    taken("LF in an extension", request(POST, CHUNKED, body=b"5;a\nhello\r\n" + LAST), 5),
    split(
        "extension of 20,000 bytes",
        request(POST, CHUNKED, body=b"5;" + b"a" * 20_000 + b"\r\nhello\r\n" + LAST),
        *(200, 400, 5),
    ),
    taken("LF after sizes", request(POST, CHUNKED, body=b"5\nhello\n0\n\n"), 5),
    taken("space after a size", request(POST, CHUNKED, body=b"5 \r\nhello\r\n" + LAST), 5),
    taken("40 zeros", request(POST, CHUNKED, body=b"0" * 40 + HELLO), 5),
    *(sized(size) for size in (b"zz", b"0x5", b"-5", b"+5", b" 5", b"", b"10000000000000005")),
    sized(b"ffffffffffffffff"),
    sized(b"100000005", 413, 413),
    sized(b"100001", 413, 413),
    sized(b"4"),
    refused("no CRLF after a chunk", request(POST, CHUNKED, body=b"5\r\nhelloGET0\r\n\r\n")),
    split(
        "chunks that are past the limit together",
        request(POST, CHUNKED, body=(b"2710\r\n" + b"x" * 10_000 + b"\r\n") * 106 + LAST),
        *(413, 411),
    ),
    split(
        "chunks of more than half a buffer",
        request(POST, CHUNKED, body=b"2000\r\n" + b"x" * 8_192 + b"\r\n" + LAST),
        *(200, 411, 8_192),
    ),
    taken(
        "as many chunks as bytes", request(POST, CHUNKED, body=b"1\r\nx\r\n" * 8_000 + LAST), 8_000
    ),
    taken("trailer", request(POST, CHUNKED, body=HELLO[:-2] + b"X: y\r\n\r\n"), 5),
    taken(
        "length as a trailer",
        request(POST, CHUNKED, body=HELLO[:-2] + b"Content-Length: 99\r\n\r\n"),
        5,
    ),
    split(
        "trailers of 40,000 bytes",
        request(POST, CHUNKED, body=HELLO[:-2] + (b"t: " + b"y" * 995 + b"\r\n") * 40 + b"\r\n"),
        *(200, 400, 5),
    ),
    Row("chunk without an end", request(POST, CHUNKED, body=b"20\r\nhello"), (), ()),
    Row("chunks without a last one", request(POST, CHUNKED, body=b"5\r\nhello\r\n"), (), ()),
)

CONNECTIONS = (
    taken("two requests", request(POST, CHUNKED, body=LAST) + request(GET), 0, 0),
    taken("ten requests", b"".join(request(b"GET /%d HTTP/1.1" % n) for n in range(10)), *[0] * 10),
    Row("a refused one first", request(GET, b": x") + request(GET), (400,), (400,)),
    refused("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))),
    taken("upgrade to HTTP/2", request(GET, b"Connection: Upgrade", b"Upgrade: h2c")),
    refused("TLS", bytes.fromhex("16030100f4010000f00303") + bytes(range(1, 241))),
    refused("every byte", bytes(range(256)) * 8),
    refused("SSH", b"SSH-2.0-OpenSSH_9\r\n"),
    refused("PROXY protocol", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + request(GET)),
)

ROWS = (*REQUEST_LINES, *HEADERS, *LENGTHS, *ENCODINGS, *CHUNKS, *CONNECTIONS)
