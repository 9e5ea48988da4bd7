"""What laws say of files and of clients' addresses is what a real nginx does, alone or behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.checks.audit import Audit
from holdfast.model.finding import Severity
from tests.checks.folder import audited
from tests.checks.real import Answered, App, answers, app, asked, nginx, running
from tests.edges import INSTALLED
from tests.helpers import free_port, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(INSTALLED.values()), reason="nginx or haproxy is not installed"),
]
HAPROXY = """global
    nbthread 1
    maxconn 100
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend front
    bind 127.0.0.1:{front}
    default_backend inner
backend inner
    option forwardfor
    server one {inner}
"""


def codes(found: list[Audit], *severities: Severity) -> set[str]:
    """The codes of all findings; of some severities only, where they are named."""
    wanted = severities or tuple(Severity)
    return {f.code for each in found for f in each.findings if f.severity in wanted}


class Alias(NamedTuple):
    """A location with its alias, and what nginx does with it: leaks, and finds its own file."""

    location: str
    alias: str
    leaks: bool
    finds: bool


ALIASES = (
    Alias("/static", "/static/", leaks=True, finds=True),
    Alias("^~ /static", "/static/", leaks=True, finds=True),
    Alias("/static/", "/static/", leaks=False, finds=True),
    Alias("/static", "/static", leaks=False, finds=True),
    Alias("/static/", "/static", leaks=False, finds=False),
    Alias("~ ^/static(.*)$", "/static$1", leaks=False, finds=True),
    Alias("= /static/app.css", "/static/app.css", leaks=False, finds=True),
)


@pytest.mark.parametrize("case", ALIASES, ids=lambda case: f"{case.location} {case.alias}")
def test_an_alias_leaks_where_the_law_says_so(case: Alias, tmp_path: Path) -> None:
    """Two dots behind a prefix lead out of the folder just where HF601 is an error."""
    site, port = tmp_path / "srv", free_port()
    (site / "static").mkdir(parents=True)
    (site / "static/app.css").write_text("style")
    (site / "secret").write_text("key")
    place = f"location {case.location} {{ alias {site}{case.alias}; }}"
    said = nginx(tmp_path, f"server {{ listen 127.0.0.1:{port}; {place} }}\n")
    with running("nginx", tmp_path, said):
        answers(port)
        leaked, own = asked(port, "/static../secret"), asked(port, "/static/app.css")
    assert (leaked.body == "key", own.body == "style") == (case.leaks, case.finds)
    found = audited({"nginx.conf": said})
    assert ("HF601" in codes(found, Severity.ERROR)) == case.leaks
    assert ("HF601" in codes(found, Severity.WARNING)) == (not case.finds)


class Limit(NamedTuple):
    """How an nginx behind HAProxy is reached, and what it is told: whether all clients share it."""

    listen: str
    server: str
    lines: str
    shared: bool
    told: bool = True


BY_ADDRESS = "limit_conn_zone $binary_remote_addr zone=one:1m; limit_conn one 3;\n"
FOR_ALL = "limit_conn_zone $site zone=one:1m; limit_conn one 3;\n"
HEADER = "real_ip_header X-Forwarded-For;\n"
LOCAL, SOCKET = "127.0.0.1:{inner}", "unix:{folder}/inner.sock"
LIMITS = {
    "by address": Limit(LOCAL, LOCAL, BY_ADDRESS, shared=True),
    "believed": Limit(
        LOCAL, LOCAL, f"{BY_ADDRESS}set_real_ip_from 127.0.0.1; {HEADER}", shared=False
    ),
    "mapped": Limit(
        LOCAL,
        LOCAL,
        "map $request_method $who { default $binary_remote_addr; PURGE ''; }\n"
        "limit_conn_zone $who zone=one:1m; limit_conn one 3;\n",
        shared=True,
    ),
    "socket": Limit(
        SOCKET,
        "unix@{folder}/inner.sock",
        f"{BY_ADDRESS}set_real_ip_from 127.0.0.1; {HEADER}",
        shared=True,
    ),
    "believed socket": Limit(
        SOCKET,
        "unix@{folder}/inner.sock",
        f"{BY_ADDRESS}set_real_ip_from unix:; {HEADER}",
        shared=False,
    ),
    "proxy protocol": Limit(
        f"{LOCAL} proxy_protocol", f"{LOCAL} send-proxy", BY_ADDRESS, shared=True
    ),
    "believed protocol": Limit(
        f"{LOCAL} proxy_protocol",
        f"{LOCAL} send-proxy",
        f"{BY_ADDRESS}set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;\n",
        shared=False,
    ),
    "geo": Limit(
        LOCAL,
        LOCAL,
        "geo $site { default all; 10.0.0.0/8 office; }\n" + FOR_ALL,
        shared=True,
        told=False,
    ),
    "geo of some": Limit(
        LOCAL, LOCAL, "geo $site { default ''; 10.0.0.0/8 office; }\n" + FOR_ALL, shared=False
    ),
}
CLIENTS = 5


@contextmanager
def behind(folder: Path, listen: str, server: str, lines: str) -> Iterator[tuple[int, App, str]]:
    """An app behind nginx behind HAProxy: its port, the app, and nginx's file."""
    front, inner = free_port(), free_port()
    with ExitStack() as stack:
        held = stack.enter_context(app())
        said = nginx(
            folder,
            f"{lines}server {{ listen {listen.format(inner=inner, folder=folder)};\n"
            f"location / {{ proxy_pass http://127.0.0.1:{held.port};\n"
            "add_header X-Client $remote_addr always; } }\n",
        )
        stack.enter_context(running("nginx", folder, said))
        text = HAPROXY.format(front=front, inner=server.format(inner=inner, folder=folder))
        stack.enter_context(running("haproxy", folder, text))
        wait_until(lambda: asked(front).status == 204, what="the app answers through both")
        yield front, held, said


@pytest.mark.parametrize("name", LIMITS)
def test_clients_share_a_limit_where_the_law_says_so(name: str, tmp_path: Path) -> None:
    """Of five clients with addresses of their own three are held where HF603 speaks, else all."""
    case, told = LIMITS[name], list[Answered]()
    with behind(tmp_path, case.listen, case.server, case.lines) as (front, held, _):
        held.held.add("/held")

        def client(number: int) -> None:
            told.append(asked(front, "/held", of=f"127.0.0.{number + 2}"))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(held.waiting) + len(told) == CLIENTS, what="everyone is met")
        most, refused = len(held.waiting), sum(each.status == 503 for each in told)
        held.free.set()
        for thread in threads:
            thread.join()
        files = {path.name: path.read_text() for path in tmp_path.glob("*.c*f*")}
    assert (most, refused) == ((3, 2) if case.shared else (CLIENTS, 0))
    found = audited(files)
    assert min(each.holds.best for each in found) == 3 if case.shared else True
    assert ("HF603" in codes(found)) == (case.shared and case.told)


class Believed(NamedTuple):
    """Whom nginx believes, whether HAProxy is before it, and whether a client's own word counts."""

    lines: str
    forged: bool
    through: bool = True


EVERYBODY = f"set_real_ip_from 0.0.0.0/0; {HEADER}"
BELIEVED = {
    "everybody, the first": Believed(f"{EVERYBODY}real_ip_recursive on;", forged=True),
    "everybody, the last": Believed(EVERYBODY, forged=False),
    "the balancer": Believed(
        f"set_real_ip_from 127.0.0.1; {HEADER}real_ip_recursive on;", forged=False
    ),
    "everybody, nobody before": Believed(EVERYBODY, forged=True, through=False),
    "nobody": Believed("", forged=False, through=False),
}


@pytest.mark.parametrize("name", BELIEVED)
def test_a_client_names_itself_where_the_law_says_so(name: str, tmp_path: Path) -> None:
    """The address that a client wrote itself is taken for its own just where HF602 speaks."""
    case, inner = BELIEVED[name], free_port()
    listen, server = (LOCAL, LOCAL) if case.through else (f"0.0.0.0:{inner}", f"127.0.0.1:{inner}")
    with behind(tmp_path, listen, server, case.lines) as (front, _, said):
        port = front if case.through else inner
        told = asked(port, headers={"X-Forwarded-For": "192.0.2.9"}, of="127.0.0.7")
    assert (told.headers["X-Client"] == "192.0.2.9") == case.forged
    files = {"nginx.conf": said}
    if case.through:
        files["haproxy.cfg"] = (tmp_path / "haproxy.cfg").read_text()
    assert ("HF602" in codes(audited(files))) == case.forged
