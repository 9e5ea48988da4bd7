"""A real nginx keeps connections to its upstream just where no law says that it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.stack.edge_process import PROGRAMS, installed_version
from tests.checks.folder import audited
from tests.checks.real import answers, app, asked, nginx, running
from tests.edges import INSTALLED
from tests.helpers import free_port

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


def text(folder: Path, port: int, to: int, way: str) -> str:
    """The file that is audited, and that nginx is started with."""
    group, lines = WAYS[way]
    return nginx(
        folder,
        f"upstream app {{ server 127.0.0.1:{to}; {group} }}\n"
        f"server {{ listen 127.0.0.1:{port};\n"
        f"location / {{ proxy_pass http://app; {lines} }} }}\n",
    )


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED["nginx"], reason="nginx is not installed")
@pytest.mark.parametrize("way", WAYS)
def test_a_request_takes_a_connection_where_a_law_says_so(way: str, tmp_path: Path) -> None:
    """Five requests one after the other: five connections where HF204 or HF205 speaks, else one."""
    port = free_port()
    with app() as server:
        said = text(tmp_path, port, server.port, way)
        with running("nginx", tmp_path, said):
            answers(port)
            before = server.accepted
            assert [asked(port).status for _ in range(REQUESTS - 1)] == [204] * (REQUESTS - 1)
        more = server.accepted - before
    version = installed_version(PROGRAMS["nginx"])
    (found,) = audited({"nginx.conf": said}, versions={"nginx": version})
    ends = bool(ENDS & {each.code for each in found.findings})
    assert more == (REQUESTS - 1 if ends else 0)
