"""Clients that speak TLS with a stack: handshakes, and a request by HTTP/1.1 or 2."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
EMPTY: tuple[str, ...] = ()


def context(
    version: ssl.TLSVersion | None = None, *, alpn: tuple[str, ...] = EMPTY
) -> ssl.SSLContext:
    """A client that trusts everybody, of one version or any."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers("DEFAULT@SECLEVEL=0")  # so that it would speak 1.1 itself
    if version is not None:
        made.minimum_version = made.maximum_version = version
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


@contextlib.contextmanager
def connected(
    port: int, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> Iterator[ssl.SSLSocket]:
    """A connection whose handshake is done."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        client.wrap_socket(plain, session=session) as secure,
    ):
        yield secure


def resumes(port: int, client: ssl.SSLContext, times: int = 8) -> int:
    """How many of so many further connections resume the first one's session."""
    with connected(port, client) as first:
        ask(first)
        session = first.session
    found = 0
    for _ in range(times):
        with connected(port, client, session) as again:
            found += bool(again.session_reused)
    return found


def ask(client: socket.socket, head: str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n") -> int:
    """Send a request, and the status of its answer; 0 where there is none."""
    try:
        client.sendall(head.encode())
        return status(client)
    except OSError:
        return 0


def status(client: socket.socket) -> int:
    """The status of an answer whose body says its length."""
    answer = b""
    while b"\r\n\r\n" not in answer and (data := client.recv(65_536)):
        answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(lines.get(b"content-length", 0)) and (data := client.recv(65_536)):
        body += data
    return int(head.split()[1]) if head else 0


def ask_h2(client: ssl.SSLSocket, *headers: tuple[str, str], body: bytes = b"") -> int:
    """The status of a request by HTTP/2 on a new connection; 0 where there is none."""
    talk = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    talk.initiate_connection()
    first = [(":method", "POST" if body else "GET"), (":path", "/"), (":scheme", "https")]
    talk.send_headers(1, [*first, (":authority", "x"), *headers], end_stream=not body)
    if body:
        talk.send_data(1, body, end_stream=True)
    client.sendall(talk.data_to_send())
    while data := client.recv(65_536):
        for event in talk.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                return int(dict(event.headers)[":status"])
            if isinstance(event, h2.events.StreamReset):
                return 0
    return 0
