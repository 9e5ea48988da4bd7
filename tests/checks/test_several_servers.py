"""Servers that an edge dials one by one: what each says counts once, and is changed in each."""

from __future__ import annotations

import pytest

from holdfast.checks.audit import audit
from holdfast.checks.mend import changes_for, edited
from holdfast.model.chance import fullest
from holdfast.model.path import Count, Host
from holdfast.readers.join import Way, join
from holdfast.readers.nginx import READER as NGINX
from holdfast.readers.procfile import READER as PROCFILE
from holdfast.readers.text import Given, Text
from tests.checks.paths import demand

EDGE = """events { worker_connections 4000; } http {
upstream app {
    zone app 64k;
    least_conn;
    server 127.0.0.1:8001 max_conns=90;
    server 127.0.0.1:8002 max_conns=90;
    server 127.0.0.1:8003 max_conns=90;
}
server { listen 80; location / { proxy_pass http://app; } } }
"""
APPS = "".join(f"a{n}: uvicorn a:b --port 800{n} --limit-concurrency 64\n" for n in (1, 2, 3))
FILES = {"nginx.conf": EDGE.encode(), "Procfile": APPS.encode()}


def way(edge: str = EDGE, apps: str = APPS) -> Way:
    """The one way through both files."""
    reads = [
        NGINX.read(Text("nginx.conf", edge), Given()),
        PROCFILE.read(Text("Procfile", apps), Given()),
    ]
    (found,) = join(reads, Host("here", Count(), 2, 2**34))
    return found


def test_each_has_a_socket_of_its_own() -> None:
    """Least connections share evenly over three sockets: sure is three fewer than their caps."""
    limit, holds = audit(way().path, demand(1)).walls[0]
    assert (limit.resource, limit.scopes) == ("limit_concurrency", 3)
    assert (holds.sure, holds.best) == (3 * 63 - 3, 3 * 63)


def test_what_all_say_is_changed_for_all() -> None:
    """Each line of the Procfile and each server of the upstream gets the new number."""
    path = way().path
    mended = changes_for(path, demand(600))
    assert mended.after.holds.sure >= 600
    files = edited(FILES, [edit for change in mended.changes for edit in change.edits])
    said = {name: text.decode() for name, text in files.items()}
    assert (said["nginx.conf"].count("=90"), said["Procfile"].count(" 64\n")) == (0, 0)
    again = way(said["nginx.conf"], said["Procfile"])
    assert audit(again.path, demand(600), 600).is_enough


def test_who_has_more_keeps_it() -> None:
    """A server with a larger number than all need is not lowered, and that they differ is said."""
    apps = APPS.replace("8003 --limit-concurrency 64", "8003 --limit-concurrency 5000")
    assert way().assumed == ()
    found = way(apps=apps)
    assert len(found.assumed) == 1
    mended = changes_for(found.path, demand(600))
    edits = [edit for change in mended.changes for edit in change.edits]
    said = edited({**FILES, "Procfile": apps.encode()}, edits)["Procfile"].decode()
    assert (said.count(" 64\n"), said.count(" 5000\n")) == (0, 1)


SHARED = """events {{ worker_connections 4000; }} worker_processes {processes}; http {{
upstream app {{ {how} server 127.0.0.1:8001; server 127.0.0.1:8002; }}
server {{ listen 80; location / {{ proxy_pass http://app; }} }} }}
"""
TWINS = "".join(
    f"a{n}: uvicorn a:b --port 800{n} --workers 3 --limit-concurrency 41\n" for n in (1, 2)
)


@pytest.mark.parametrize(
    ("processes", "how", "sure"),
    [
        (1, "", 2 * (40 - 1)),
        (1, "least_conn;", 2 * (40 - 1)),
        (3, "least_conn;", 2 * (40 - 3)),
        (3, "zone app 64k; least_conn;", 2 * (40 - 1)),
        (1, "ip_hash;", max(n for n in range(80) if fullest(n, 2, 1e-9) <= 40)),
    ],
)
def test_several_workers_at_each_of_several_addresses(processes: int, how: str, sure: int) -> None:
    """Requests are spread over the addresses first; at worst one worker gets all of its address."""
    edge = SHARED.format(processes=processes, how=how)
    limit, holds = next(
        wall
        for wall in audit(way(edge, TWINS).path, demand(1)).walls
        if wall[0].resource == "limit_concurrency"
    )
    assert (limit.scopes, limit.groups) == (6, 2)
    assert (holds.sure, holds.best) == (sure, 6 * 40)


def test_as_many_are_asked_of_an_address_as_it_may_get() -> None:
    """A cap is raised for half of the target, and one more, since two addresses share it."""
    path = way(SHARED.format(processes=1, how=""), TWINS).path
    mended = changes_for(path, demand(600))
    (change,) = (c for c in mended.changes if c.value.setting == "limit_concurrency")
    assert 300 < change.value.number < 320
    assert mended.after.holds.sure >= 600
