"""What clients claim of themselves, and how an app sees them."""

from __future__ import annotations

import socket

SPOOFED = (
    *(f"{name}: 6.6.6.6" for name in ("X-Forwarded-For", "X-Real-IP", "X-Client-IP")),
    *("X-Forwarded-Proto: https", "X-Scheme: https", "X-Forwarded-Protocol: ssl"),
    *("X-Forwarded-Ssl: on", "Forwarded: for=6.6.6.6;proto=https"),
)


def seen(port: int, *headers: str, first: bytes = b"", path: str = "/client") -> tuple[str, str]:
    """The client's address and scheme as the app sees them; ("", status) where it is not asked."""
    lines = [f"GET {path} HTTP/1.1", "host: x", "connection: close", *headers, "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(first + "\r\n".join(lines).encode())
        whole = b""
        try:
            while more := client.recv(65_536):
                whole += more
        except ConnectionResetError:
            pass
    head, _, body = whole.decode().partition("\r\n\r\n")
    status = head[9:12]
    if status != "200":
        return "", status
    address, scheme = body.split("\r\n")[1 if "chunked" in head.lower() else 0].split()
    return address, scheme
