"""A real nginx keeps connections to its upstream just where no law says that it does not."""

from __future__ import annotations

import http.client
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from holdfast.stack.edge_process import PROGRAMS, installed_version
from tests.checks.folder import audited
from tests.edges import INSTALLED
from tests.helpers import free_port, wait_until

REQUESTS = 5
ENDS = frozenset({"HF204", "HF205"})
"""Laws that say of a path that a request takes a connection of its own."""
WAYS = {
    "kept": ("keepalive 8;", 'proxy_http_version 1.1; proxy_set_header Connection "";'),
    "told to upgrade": (
        "keepalive 8;",
        'proxy_http_version 1.1; proxy_set_header Connection "upgrade";',
    ),
    "told to close": (
        "keepalive 8;",
        'proxy_http_version 1.1; proxy_set_header Connection "close";',
    ),
    "no header": ("keepalive 8;", "proxy_http_version 1.1;"),
    "old version": ("keepalive 8;", 'proxy_set_header Connection "";'),
    "bare": ("", ""),
}


class Counting(socketserver.ThreadingTCPServer):
    """An upstream that counts the connections that it accepts."""

    allow_reuse_address = True
    daemon_threads = True
    accepted = 0

    def verify_request(self, request: object, client_address: object) -> bool:
        """Count it."""
        self.accepted += 1
        return True


class Answer(BaseHTTPRequestHandler):
    """Answers with nothing, and keeps the connection as HTTP says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """204, whatever was asked."""
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def upstream() -> Iterator[Counting]:
    """A counting server while it runs."""
    with Counting(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def text(folder: Path, port: int, to: int, way: str) -> str:
    """The file that is audited, and that nginx is started with."""
    group, lines = WAYS[way]
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    return (
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;\n"
        "events { worker_connections 64; }\n"
        f"http {{ access_log off; {paths}\n"
        f"upstream app {{ server 127.0.0.1:{to}; {group} }}\n"
        f"server {{ listen 127.0.0.1:{port};\n"
        f"location / {{ proxy_pass http://app; {lines} }} }} }}\n"
    )


def asked(port: int) -> int:
    """One request of a client of its own; the status, or 0 where nobody listens yet."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request("GET", "/")
        return client.getresponse().status
    except ConnectionRefusedError:
        return 0
    finally:
        client.close()


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED["nginx"], reason="nginx is not installed")
@pytest.mark.parametrize("way", WAYS)
def test_a_request_takes_a_connection_where_a_law_says_so(way: str, tmp_path: Path) -> None:
    """Five requests one after the other: five connections where HF204 or HF205 speaks, else one."""
    port = free_port()
    with upstream() as server:
        said = text(tmp_path, port, server.server_address[1], way)
        (tmp_path / "nginx.conf").write_text(said)
        argv = [str(INSTALLED["nginx"]), "-p", str(tmp_path), "-c", "nginx.conf", "-e", "stderr"]
        with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: asked(port) == 204, what="nginx answers")
                before = server.accepted
                assert [asked(port) for _ in range(REQUESTS - 1)] == [204] * (REQUESTS - 1)
            finally:
                process.terminate()
        more = server.accepted - before
    version = installed_version(PROGRAMS["nginx"])
    (found,) = audited({"nginx.conf": said}, versions={"nginx": version})
    ends = bool(ENDS & {each.code for each in found.findings})
    assert more == (REQUESTS - 1 if ends else 0)
