"""What a trial's clients speak: `--streams`, `--ca` and https, and where they are refused."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from holdfast.cli.context import Options, plan_path
from holdfast.cli.opening import OPEN_RATE, open_rate
from holdfast.cli.spoken import check_http2
from holdfast.cli.target import parse_target
from holdfast.model.errors import BadInput
from tests.cli.run import holdfast

THIS = "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("demo", "-n", "50", "--streams", "5"), "does not speak it to clients without TLS"),
        (("prove", THIS, "-n", "5", "--ca", "x.pem"), "`--ca` verifies TLS, and none is spoken"),
        (
            ("prove", "https://127.0.0.1:1/", "-n", "5", "--ca", sys.executable),
            "cannot read certificates",
        ),
        (
            ("prove", "a:app", "-n", "5", "--streams", "5", "--profile-out", "x.json"),
            "does not speak it to clients without TLS",
        ),
        (("prove", "ftp://127.0.0.1/", "-n", "5"), "is neither an http nor an https URL"),
    ],
)
def test_what_nobody_speaks_is_refused(words: tuple[str, ...], fault: str) -> None:
    """Exit code 2 with what contradicts it, before anything starts."""
    done = holdfast(*words)
    assert done.returncode == 2
    assert fault in " ".join(done.stderr.split())


def test_an_https_url_has_its_own_port() -> None:
    """https without a port is 443, and TLS; http is 80, and none."""
    assert parse_target("https://localhost/a?b") == (
        "127.0.0.1",
        443,
        "localhost",
        "/a?b",
        True,
    )
    assert parse_target("http://127.0.0.1/")[1::3] == (80, False)


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing reads HTTP/2's headers, the extra that does is named."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_http2(1)
    with pytest.raises(BadInput) as refused:
        check_http2(2)
    assert "holdfast[http2]" in str(refused.value.hint)


def test_handshakes_bound_how_fast_clients_come_in() -> None:
    """Over TLS both ends' handshakes have 0.7 of the cores; streams come many at a time."""
    assert open_rate(tls=False, streams=1, cores=2, server="nginx") == OPEN_RATE
    one = open_rate(tls=True, streams=1, cores=2, server="nginx")
    assert one < OPEN_RATE / 5
    assert open_rate(tls=True, streams=2, cores=2, server="nginx") == pytest.approx(2 * one)
    assert open_rate(tls=True, streams=100, cores=2, server="nginx") == OPEN_RATE


def test_a_plan_counts_what_its_clients_take(tmp_path: Path) -> None:
    """Over TLS a client takes memory and a handshake; streams share both."""

    def planned(streams: int, tls: bool) -> tuple[float, float]:
        options = Options(
            "", str(tmp_path), None, 50_000, edge="nginx", tls=tls, streams=streams, here=True
        )
        found = plan_path(options)
        return found.memory_by_hop()["clients"], found.mean_time.number

    plain, tls, streams = (planned(*kind) for kind in ((1, False), (1, True), (100, True)))
    assert tls[0] - plain[0] > 50_000 * 20_000
    assert streams[0] < plain[0]
    assert tls[1] > streams[1] >= plain[1]  # the opening asks for it, not the processor
