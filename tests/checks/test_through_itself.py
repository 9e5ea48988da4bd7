"""An edge that dials a socket of its own has two connections more for each request."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from holdfast.checks.audit import Audit
from tests.checks.folder import audited
from tests.checks.real import Answered, answers, app, asked, nginx, running
from tests.edges import INSTALLED
from tests.helpers import free_port, wait_until

HAPROXY = """global
    nbthread 1
    maxconn 20
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend outer
    bind 127.0.0.1:8080
    default_backend own
backend own
    server itself 127.0.0.1:8081
frontend inner
    bind 127.0.0.1:8081
    default_backend app
backend app
    server one 127.0.0.1:8000
"""
APP = "app: gunicorn -w 4 -k gevent -b 127.0.0.1:8000 app:app\n"


def site(port: int, to: int) -> str:
    """A server of nginx that passes everything on."""
    return f"server {{ listen {port}; location / {{ proxy_pass http://127.0.0.1:{to}; }} }}\n"


def edge(*ways: tuple[int, int]) -> dict[str, str]:
    """An nginx with a server for each port and where it passes on to, and an app on 8000."""
    sites = "".join(site(*way) for way in ways)
    text = f"events {{ worker_connections 605; }} http {{\n{sites}}}\n"
    return {"nginx.conf": text, "Procfile": APP}


def narrowest(files: dict[str, str]) -> Audit:
    """The way with the smallest wall, as the command chooses it."""
    return min(audited(files), key=lambda each: each.holds)


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED["nginx"], reason="nginx is not installed")
def test_a_real_nginx_answers_as_many_as_it_is_said_to(tmp_path: Path) -> None:
    """Requests that come one after the other are held up to `best`, and the next is a 500."""
    front, inner = free_port(), free_port()
    told: list[Answered] = []
    with app() as held:
        said = nginx(tmp_path, site(front, inner) + site(inner, held.port))
        best = narrowest({"nginx.conf": said}).holds.best
        held.held.add("/held")
        with running("nginx", tmp_path, said):
            answers(front)
            threads: list[threading.Thread] = []
            while not told:
                client = threading.Thread(target=lambda: told.append(asked(front, "/held")))
                threads.append(client)
                client.start()
                met = len(threads)
                wait_until(lambda met=met: len(held.waiting) == met or told, what="it is met")
            most = len(held.waiting)
            assert [each.status for each in told] == [500]
            held.free.set()
            for thread in threads:
                thread.join()
    assert most == best == (64 - 1 - 2) // 4
    assert sum(each.status == 204 for each in told) == most


def test_each_return_takes_two_more() -> None:
    """Twice through itself is six connections a request, and other sites are told by themselves."""
    found = audited(edge((80, 8081), (8081, 8082), (8082, 8000), (8083, 8000)))
    assert {each.holds.best for each in found} == {100, 150, 300}
    assert all(not each.path.unjoined for each in found)


def test_both_places_of_haproxy_are_of_one_maxconn() -> None:
    """A request through two frontends of one process has two of its client connections."""
    assert narrowest({"haproxy.cfg": HAPROXY, "Procfile": APP}).holds.best == 10


def test_a_circle_is_said() -> None:
    """What comes back to where it came from leads nowhere, and ends."""
    found = audited(edge((81, 82), (82, 81)))
    assert any("a circle" in said for each in found for said in each.path.unjoined)


def test_a_port_of_another_host_is_not_its_own() -> None:
    """An edge that dials its own port elsewhere does not come back to itself."""
    text = edge((80, 80))["nginx.conf"].replace("127.0.0.1", "10.0.0.9")
    assert narrowest({"nginx.conf": text}).holds.best == (605 - 2) // 2
