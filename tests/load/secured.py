"""Servers over TLS that the generator is tried on: a certificate, raw answers, and the edges."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.edges import INSTALLED
from tests.helpers import free_port, wait_until
from tests.load.servers import Connection

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 1000; }}
http {{
  access_log off; keepalive_requests {requests}; http2_max_concurrent_streams {streams};
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {pem}; ssl_certificate_key {pem};
    location / {{ proxy_pass http://127.0.0.1:{behind}; }}
  }}
}}
"""
HAPROXY = """
global
  tune.h2.max-concurrent-streams {streams}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
listen edge
  bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1
  server app 127.0.0.1:{behind}
"""
TEXTS = {"nginx": NGINX, "haproxy": HAPROXY}


class Certificate(NamedTuple):
    """A certificate for 127.0.0.1 that nobody signed but itself, and one file with its key."""

    certificate: str
    pem: str


def make_certificate(folder: Path, names: str = "IP:127.0.0.1") -> Certificate:
    """Make a certificate for the names, with `openssl`."""
    certificate, key, pem = (folder / name for name in ("cert.pem", "key.pem", "all.pem"))
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=trial"
    argv = ["openssl", *words.split(), "-addext", f"subjectAltName={names}"]
    argv += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    pem.write_text(certificate.read_text() + key.read_text())
    return Certificate(str(certificate), str(pem))


def over_tls(
    serve: Callable[[Connection], object], certificate: Certificate, protocol: str = "http/1.1"
) -> Callable[[Connection], object]:
    """Return what shakes hands first, and then serves with the function."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.pem)
    context.set_alpn_protocols([protocol])

    def serve_sealed(connection: Connection) -> None:
        plain = socket.socket(fileno=os.dup(connection.socket.fileno()))
        with plain, context.wrap_socket(plain, server_side=True) as connection.socket:
            serve(connection)

    return serve_sealed


@contextmanager
def edge(
    program: str, folder: Path, pem: str, behind: int, *, streams: int = 128, requests: int = 10**9
) -> Iterator[int]:
    """Run the program over TLS before a port of 127.0.0.1 while the context lasts: its port."""
    port, file, path = free_port(), folder / f"{program}.conf", INSTALLED[program]
    assert path is not None
    words = {"folder": folder, "port": port, "pem": pem, "behind": behind}
    file.write_text(TEXTS[program].format(streams=streams, requests=requests, **words))
    argv = [path, "-c", str(file)] if program == "nginx" else [path, "-db", "-f", str(file)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(port))
            yield port
        finally:
            process.terminate()
            process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
