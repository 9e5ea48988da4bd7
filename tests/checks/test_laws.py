"""Each law: a path that breaks it, and one that differs only in what makes it right."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from holdfast.checks.audit import audit
from holdfast.checks.catalog import LAWS
from holdfast.checks.effective import CHANGED
from holdfast.checks.gone import DIRECTIVE
from holdfast.model.finding import Finding
from holdfast.model.path import Count, Hop, Host, Path, Protocol
from holdfast.model.values import ALIAS, Source, Value, assumed, observed
from tests.checks.paths import (
    GIB,
    demand,
    gunicorn,
    haproxy,
    host,
    link,
    linked,
    nginx,
    path,
    written,
)

BIG = {"worker_connections": 200_000, "worker_rlimit_nofile": 400_000}
CAN = {"worker_connections": 60_000}


class Pair(NamedTuple):
    """A path that breaks a law and one that does not; with a target where the law needs one."""

    code: str
    wrong: Path
    right: Path
    target: int | None = None
    burst: int = 0


def front(hop: Hop, **told: int) -> Path:
    return path(hop, gunicorn(**{**CAN, **told}))


def db(high: int, most: int = 300) -> Path:
    """Three hosts of 8 workers with pools of 20 + 50 each before one database, or more of them."""
    hosts = (Host("here", Count(1, high), 2, GIB), Host("there", Count(), 2, GIB))
    app = gunicorn(8, pool_size=2, max_overflow=5)
    dialled = linked(app, link("db", Protocol.TCP))
    base = Hop("db", "postgresql", "16", "there", 1, (written("max_connections", most),))
    return Path(hosts, (dialled, base))


def idle(dialler: float, listener: float) -> Path:
    return path(linked(nginx(), link("app", Protocol.UNIX, dialler, listener)), gunicorn())


def on(host_values: dict[str, object], *hops: Hop) -> Path:
    return path(*hops, on=host(**host_values))  # type: ignore[arg-type]


def guessed() -> Host:
    """A host of whose cores nobody said a number."""
    return msgspec.structs.replace(host(), values=(*host().values, assumed("cores", 2, "nobody")))


def kept(keep_alive_s: int, kind: str = "gevent", **told: str) -> Path:
    """An nginx with its own idle timeout before gunicorn's, as files say them."""
    app = gunicorn(worker_class=kind, keep_alive_s=keep_alive_s)
    nobody = Value("idle_s", None, Source.DEFAULT, "nobody said")
    to = msgspec.structs.replace(link("app"), dialler_idle_s=nobody, listener_idle_s=nobody)
    return path(linked(nginx(**told), to), app)


def bare_header(version: str) -> Hop:
    """An nginx that keeps connections, and of whose header `Connection` nobody said anything."""
    hop = nginx(version=version)
    values = (value for value in hop.values if value.setting != "proxy_header_connection")
    return msgspec.structs.replace(hop, values=tuple(values))


def login(hop: Hop) -> Path:
    """A hop on a host whose limits.conf gives descriptors to who logs in."""
    return on({"login_nofile": 65_536}, hop)


def memory(size: int) -> Path:
    spare = observed("memory_available", size, "typed in")
    costly = msgspec.structs.replace(
        gunicorn(**CAN), values=(*gunicorn(**CAN).values, observed("request_bytes", 10_000, "x"))
    )
    return path(costly, on=msgspec.structs.replace(host(), values=(*host().values, spare)))


def busy(cores: float) -> Path:
    costly = msgspec.structs.replace(
        gunicorn(**CAN), values=(*gunicorn(**CAN).values, observed("request_cpu_s", 1e-3, "x"))
    )
    return path(costly, on=msgspec.structs.replace(host(), cores=cores))


def runs(setting: str, is_so: int, asked: int) -> Path:
    """A gunicorn whose process has a value, and whose file asks for one."""
    hop = gunicorn(**{setting: asked})
    seen = observed(setting, is_so, "/proc/12/limits")
    if is_so != asked:
        seen = msgspec.structs.replace(seen, configured=hop.get(setting))
    return path(msgspec.structs.replace(hop, values=(*hop.values, seen)))


def changed(*ages_s: float) -> Path:
    """A gunicorn whose file is so much younger."""
    hop = gunicorn()
    place = written("workers", 4).place
    seen = (Value(CHANGED, age_s, Source.OBSERVED, "process 12", place) for age_s in ages_s)
    return path(msgspec.structs.replace(hop, values=(*hop.values, *seen)))


def sometimes(some: int) -> Path:
    """A HAProxy that waits long enough but for the requests that a rule picks."""
    edge = haproxy(timeout_server_s=125, set_timeout_server_s=some)
    return path(edge, gunicorn(worker_class="sync", timeout_s=120))


def shared(**told: object) -> Path:
    """An nginx with a limit behind a HAProxy that reaches it over a unix socket."""
    inner = msgspec.structs.replace(nginx(**told), name="inner")  # type: ignore[arg-type]
    return path(linked(haproxy(), link("inner")), inner, gunicorn())


PAIRS = (
    Pair(
        "HF101", front(nginx(**{**BIG, "worker_rlimit_nofile": 9_000})), front(nginx(**BIG)), 9000
    ),
    Pair("HF102", front(nginx(**BIG)), front(nginx(**BIG, backlog=4_000)), 9_000, 3_000),
    Pair(
        "HF103",
        path(linked(nginx(**BIG), link("app", Protocol.TCP)), gunicorn(**CAN)),
        path(linked(nginx(**BIG), link("app", Protocol.UNIX)), gunicorn(**CAN)),
        30_000,
    ),
    Pair("HF104", front(nginx()), front(nginx(worker_connections=4_000)), 1_500),
    Pair("HF105", memory(10_000 * 999), memory(10_000 * 1_001), 1_000),
    Pair("HF106", busy(0.5), busy(2), 10_000),
    Pair("HF107", db(6), db(3)),
    Pair(
        "HF108",
        on({"file_max": 9_000}, gunicorn(**CAN)),
        on({"file_max": 11_000}, gunicorn(**CAN)),
        10_000,
    ),
    Pair("HF109", path(gunicorn(8, pids_max=8)), path(gunicorn(8, pids_max=9))),
    Pair("HF201", idle(60, 2), idle(60, 75)),
    Pair("HF201", kept(2), kept(61)),
    Pair("HF201", kept(60), kept(60, "sync")),
    Pair("HF201", kept(2), kept(2, proxy_header_connection="close")),
    Pair("HF201", kept(2), kept(2, proxy_http_version="1.0")),
    Pair(
        "HF202",
        path(nginx(), gunicorn(worker_class="sync", timeout_s=120)),
        path(nginx(proxy_read_timeout_s=125), gunicorn(worker_class="sync", timeout_s=120)),
    ),
    Pair(
        "HF203",
        path(gunicorn(worker_class="sync", timeout_s=120, grace_s=30)),
        path(gunicorn(worker_class="sync", timeout_s=120, grace_s=120)),
    ),
    Pair(
        "HF203",
        path(gunicorn(grace_s=90, stop_s=90)),
        path(gunicorn(grace_s=85, stop_s=90)),
    ),
    Pair("HF204", path(nginx(keepalive=0), gunicorn()), path(nginx(), gunicorn())),
    Pair("HF205", path(nginx(proxy_http_version="1.0"), gunicorn()), path(nginx(), gunicorn())),
    Pair("HF205", path(bare_header("1.29.6"), gunicorn()), path(bare_header("1.29.7"), gunicorn())),
    Pair(
        "HF205",
        path(nginx(proxy_header_connection="close"), gunicorn()),
        path(nginx(proxy_header_connection=""), gunicorn()),
    ),
    Pair(
        "HF206",
        path(nginx(proxy_header_connection="upgrade"), gunicorn()),
        path(nginx(proxy_header_connection="$connection_upgrade"), gunicorn()),
    ),
    Pair(
        "HF301",
        path(gunicorn(worker_class="asgi", worker_connections=5_000)),
        path(gunicorn(worker_class="gevent", worker_connections=5_000)),
    ),
    Pair(
        "HF302",
        path(gunicorn(commented_worker_class="asyncio")),
        path(gunicorn(commented_worker_class="gevent")),
    ),
    Pair("HF302", path(gunicorn(worker_class="asyncio")), path(gunicorn(worker_class="gevent"))),
    Pair(
        "HF302",
        path(gunicorn(worker_class="eventlet")),
        path(gunicorn(worker_class="eventlet", version="25.3")),
    ),
    Pair(
        "HF303",
        path(nginx(version="1.25.1", **{f"{DIRECTIVE}http2_push_preload": "on"}), gunicorn()),
        path(nginx(version="1.25.1", ssl=True), gunicorn()),
    ),
    Pair("HF304", path(gunicorn(backlog=8_192)), path(gunicorn(backlog=4_096))),
    Pair("HF305", login(gunicorn(unit="app.service")), login(gunicorn())),
    Pair(
        "HF305",
        login(gunicorn(unit="app.service")),
        login(gunicorn(unit="app.service", nofile=65_536)),
    ),
    Pair("HF306", on({"net.ipv4.tcp_tw_recycle": 1}), on({"net.ipv4.tcp_tw_reuse": 1})),
    Pair("HF306", on({"net.ipv4.tcp_tw_recicle": 1}), on({"net.ipv4.tcp_tw_reuse": 1})),
    Pair(
        "HF306",
        on({"tcp_max_syn_backlog": 2_048, "syncookies": 1}),
        on({"tcp_max_syn_backlog": 2_048, "syncookies": 0}),
    ),
    Pair(
        "HF307",
        path(
            on=msgspec.structs.replace(
                host(), values=(written("file_max", 1, line=1), written("file_max", 2, line=2))
            )
        ),
        path(
            on=msgspec.structs.replace(
                host(), values=(written("file_max", 2, line=1), written("file_max", 2, line=2))
            )
        ),
    ),
    Pair(
        "HF308",
        on({"port_low": 1_024, "port_high": 65_535}, gunicorn(port=8_000)),
        on({"port_low": 10_240, "port_high": 65_535}, gunicorn(port=8_000)),
    ),
    Pair(
        "HF309",
        on({"somaxconn": 65_536, "kernel_release": "3.10.0"}),
        on({"somaxconn": 65_536, "kernel_release": "3.11"}),
    ),
    Pair(
        "HF401",
        front(nginx(**BIG, client_body_buffer_size=10 * 2**20)),
        front(nginx(**BIG, client_body_buffer_size=2**15)),
        40_000,
    ),
    Pair("HF402", path(gunicorn(100)), path(gunicorn(5))),
    Pair("HF402", path(gunicorn(1)), path(gunicorn(2))),
    Pair("HF402", path(gunicorn(9)), path(gunicorn(9), on=guessed())),
    Pair("HF402", path(gunicorn(9)), path(gunicorn(9, hosts=2))),
    Pair(
        "HF403",
        path(nginx(worker_connections=4_096, worker_rlimit_nofile=1_024), gunicorn()),
        path(nginx(worker_connections=4_096, worker_rlimit_nofile=8_192), gunicorn()),
    ),
    Pair(
        "HF405",
        path(gunicorn(400, base_bytes=50_000_000), on=host(memory_available=8 * GIB)),
        path(gunicorn(100, base_bytes=50_000_000), on=host(memory_available=8 * GIB)),
    ),
    Pair("HF403", path(haproxy(nofile=1_024), gunicorn()), path(haproxy(nofile=4_100), gunicorn())),
    Pair(
        "HF404",
        on({"nr_open": 1_048_576}, gunicorn(nofile=2_000_000)),
        on({"nr_open": 2_000_000}, gunicorn(nofile=2_000_000)),
    ),
    Pair("HF501", runs("nofile", 1_024, 65_536), runs("nofile", 65_536, 65_536)),
    Pair("HF501", runs("backlog", 128, 2_048), runs("backlog", 2_048, 2_048)),
    Pair("HF502", changed(12.0), changed()),
    Pair("HF202", sometimes(20), sometimes(125)),
    Pair(
        "HF601",
        front(nginx(**{f"{ALIAS}/static": "/srv/static/"})),
        front(nginx(**{f"{ALIAS}/static/": "/srv/static/"})),
    ),
    Pair(
        "HF601",
        front(nginx(**{f"{ALIAS}/static/": "/srv/static"})),
        front(nginx(**{f"{ALIAS}/static/": "/srv/$folder"})),
    ),
    Pair(
        "HF602",
        front(nginx(port=80, set_real_ip_from="0.0.0.0/0")),
        front(nginx(port=80, set_real_ip_from="10.0.0.0/8")),
    ),
    Pair("HF603", shared(limit_conn_per_address=9), shared(limit_conn_per_key=9)),
    Pair(
        "HF603",
        shared(limit_conn_per_address=9),
        shared(limit_conn_per_address=9, set_real_ip_from="unix:"),
    ),
    Pair(
        "HF603",
        front(nginx(proxy_protocol=True, limit_req_per_address=9)),
        front(nginx(proxy_protocol=True, limit_req_per_address=9, set_real_ip_from="10.1.2.3")),
    ),
)


def found(pair: Pair, seen: Path) -> list[Finding]:
    """The law's findings on a path of the pair."""
    asked = demand(pair.target or 1, burst=pair.burst)
    return [each for each in audit(seen, asked, pair.target).findings if each.code == pair.code]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.code)
def test_a_law_finds_what_breaks_it_and_nothing_else(pair: Pair) -> None:
    """The wrong path breaks the law, with message, hint and formula; the right one does not."""
    wrong = found(pair, pair.wrong)
    assert wrong
    assert all(each.message and each.hint and each.formula for each in wrong)
    assert found(pair, pair.right) == []


def test_every_law_has_a_pair() -> None:
    """No law stands in the table that these pairs do not break."""
    assert {pair.code for pair in PAIRS} == set(LAWS)
