"""Timeouts that a rule of HAProxy sets are those that a real one keeps, and those of the audit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.model.finding import Severity
from holdfast.model.values import Value
from tests.checks.folder import audited
from tests.checks.real import Answered, answers, app, asked, running
from tests.edges import INSTALLED
from tests.helpers import free_port, wait_until

TEXT = """global
    nbthread 1
    maxconn 100
defaults
    mode http
    timeout client 60s
    timeout connect 5s
    timeout server {usual}
frontend front
    bind 127.0.0.1:{port}
    default_backend app
backend app
{rules}
    server one 127.0.0.1:{to}
"""
LONG, SHORT = "60s", "200ms"
PICKED = "/picked"
IF = f"if {{ path {PICKED} }}"
APP = "app: gunicorn -w 1 -k sync --timeout 30 -b 127.0.0.1:{to} app:app\n"


class Rules(NamedTuple):
    """What stands there, and whether it gives up at once on a usual request and a picked one."""

    usual: str
    rules: tuple[str, ...]
    gives_up: tuple[bool, bool]
    severity: Severity | None


RULES = {
    "none": Rules(LONG, (), (False, False), None),
    "short": Rules(SHORT, (), (True, True), Severity.WARNING),
    "picked": Rules(LONG, (f"set-timeout server {SHORT} {IF}",), (False, True), Severity.NOTE),
    "longer": Rules(SHORT, (f"set-timeout server {LONG} {IF}",), (True, False), Severity.WARNING),
    "always": Rules(LONG, (f"set-timeout server {SHORT}",), (True, True), Severity.WARNING),
    "always longer": Rules(SHORT, (f"set-timeout server {LONG}",), (False, False), None),
    "the last": Rules(
        LONG,
        (f"set-timeout server {SHORT} {IF}", f"set-timeout server {LONG}"),
        (False, False),
        None,
    ),
    "both": Rules(
        SHORT,
        (f"set-timeout server {LONG}", f"set-timeout server {SHORT} {IF}"),
        (False, True),
        Severity.NOTE,
    ),
    "tunnel": Rules(LONG, (f"set-timeout tunnel {SHORT} {IF}",), (False, False), None),
}


def text(case: Rules, port: int, to: int) -> str:
    """The file that is audited, and that HAProxy is started with."""
    rules = "\n".join(f"    http-request {rule}" for rule in case.rules)
    return TEXT.format(usual=case.usual, port=port, to=to, rules=rules)


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED["haproxy"], reason="haproxy is not installed")
@pytest.mark.parametrize("name", RULES)
def test_haproxy_gives_up_where_the_rules_say_so(name: str, tmp_path: Path) -> None:
    """A silent app's request is a 504 where the audit says that HAProxy gives up, else it waits."""
    case, port = RULES[name], free_port()
    told: dict[str, Answered] = {}
    with app() as held:
        silent = {"/usual": case.gives_up[0], PICKED: case.gives_up[1]}
        held.held.update(silent)
        with running("haproxy", tmp_path, text(case, port, held.port)):
            answers(port)

            def client(path: str) -> None:
                told[path] = asked(port, path)

            threads = [threading.Thread(target=client, args=(path,)) for path in silent]
            for thread in threads:
                thread.start()
            wait_until(lambda: len(held.waiting) == len(silent), what="both are asked")
            ends = {path for path, gives_up in silent.items() if gives_up}
            wait_until(lambda: set(told) >= ends, what="HAProxy gives up")
            held.free.set()
            for thread in threads:
                thread.join()
    statuses = {path: each.status for path, each in told.items()}
    assert statuses == {path: 504 if gives_up else 204 for path, gives_up in silent.items()}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_compared_as_it_is_kept(name: str) -> None:
    """A timeout for all requests is a warning like `timeout server`; one for some is a note."""
    case = RULES[name]
    files = {"haproxy.cfg": text(case, 8080, 8000), "Procfile": APP.format(to=8000)}
    (found,) = audited(files)
    given = [each for each in found.findings if each.code == "HF202"]
    assert [each.severity for each in given] == [case.severity] * bool(case.severity)


def test_of_an_edge_behind_the_longest_counts() -> None:
    """An nginx before HAProxy has to outlast what a rule gives to some requests."""
    case = Rules("20s", (f"set-timeout server 300s {IF}",), (False, False), None)
    nginx = (
        "events { worker_connections 512; } http { server { listen 80; location / {\n"
        "proxy_pass http://127.0.0.1:8080; } } }\n"
    )
    (found,) = audited({"nginx.conf": nginx, "haproxy.cfg": text(case, 8080, 8000)})
    (given,) = (each for each in found.findings if each.code == "HF202")
    behind = found.path.hop("haproxy").values
    some: list[Value] = [value for value in behind if value.setting == "set_timeout_server_s"]
    assert given.places[-1] == some[0].place


def test_what_only_a_request_knows_is_said() -> None:
    """A timeout that an expression makes is a note, and the rest is read."""
    case = Rules(LONG, ("set-timeout server hdr(x-wait),mul(1000)",), (False, False), None)
    (found,) = audited({"haproxy.cfg": text(case, 8080, 8000)})
    assert [each.code for each in found.findings if each.code.startswith("HF0")] == ["HF007"]
