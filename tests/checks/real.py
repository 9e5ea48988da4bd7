"""A real edge while a test asks it, and an app that answers when it may. Knows no law."""

from __future__ import annotations

import http.client
import os
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple

from tests.edges import INSTALLED
from tests.helpers import wait_until

KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}
ARGUMENTS = {"nginx": ("-e", "stderr", "-p", ".", "-c"), "haproxy": ("-db", "-f")}


class Answered(NamedTuple):
    """What a client was told; 0 where nobody listened or it was closed without an answer."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = {}


class App(socketserver.ThreadingTCPServer):
    """Counts connections and requests; one for a path in `held` is answered once `free` is set."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.accepted = 0
        self.held: set[str] = set()
        self.waiting: list[str] = []
        self.free = threading.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_address[1]

    def verify_request(self, request: object, client_address: object) -> bool:
        """Count the connection."""
        self.accepted += 1
        return True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: an edge may have left."""


class _Handler(BaseHTTPRequestHandler):
    """Answers with nothing, and keeps the connection as HTTP says."""

    protocol_version = "HTTP/1.1"
    server: App

    def do_GET(self) -> None:
        """204, when it may."""
        if self.path in self.server.held:
            self.server.waiting.append(self.path)
            self.server.free.wait(30)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def app() -> Iterator[App]:
    """An app while it runs; whoever waits is let go at the end."""
    with App() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.free.set()
        server.shutdown()
        thread.join()


def nginx(folder: Path, http_block: str) -> str:
    """A whole file of one worker process that writes nowhere else; `http_block` is its inside."""
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS)
    user = "user root; " if os.geteuid() == 0 else ""  # a test's folder is its owner's alone
    return (
        f"{user}daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;\n"
        "events { worker_connections 64; }\n"
        f"http {{ access_log off; {paths}\n{http_block}}}\n"
    )


@contextmanager
def running(program: str, folder: Path, text: str) -> Iterator[None]:
    """A real program with this text while it runs, in a folder of its own."""
    (folder / FILES[program]).write_text(text)
    argv = [str(INSTALLED[program]), *ARGUMENTS[program], FILES[program]]
    with subprocess.Popen(argv, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def asked(
    port: int, path: str = "/", headers: Mapping[str, str] | None = None, of: str = "127.0.0.1"
) -> Answered:
    """One request of a client of its own, from the address `of`."""
    client = http.client.HTTPConnection("127.0.0.1", port, 30, (of, 0))
    try:
        client.request("GET", path, headers=dict(headers or {}))
        told = client.getresponse()
        return Answered(told.status, told.read().decode(errors="replace"), told.headers)
    except (ConnectionError, http.client.HTTPException):
        return Answered(0)
    finally:
        client.close()


def answers(port: int, path: str = "/") -> None:
    """Wait until somebody answers there."""
    wait_until(lambda: asked(port, path).status, what=f"somebody answers on {port}")
