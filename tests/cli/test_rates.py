"""`prove --rate` as a command: what contradicts, what is kept, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli import target
from holdfast.cli.main import holdfast as commands
from tests.cli.run import WAIT, holdfast, tried
from tests.helpers import free_port
from tests.load.servers import OK, Connection, RawServer
from tests.load.test_answers import always

URL = "http://127.0.0.1:9/"


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("--rate", "2k", "--in-flight", "1k"), "--in-flight"),
        (("--rate", "2k", "--hold", "3s"), "--hold"),
        (("--in-flight", "1k", "--for", "3s"), "--for"),
        (("--in-flight", "1k", "--arrivals", "poisson"), "--arrivals"),
        (("--in-flight", "1k", "--connections", "9"), "--connections"),
        ((), "--in-flight"),
    ],
)
def test_what_contradicts_is_bad_input(words: tuple[str, ...], place: str) -> None:
    """Options of the hold and of the rate do not go together, and one of the two must be there."""
    done = holdfast("prove", URL, *words)
    assert done.returncode == 2
    assert f"  at {place}\nhint: " in done.stderr


def by_rate(target: str, *words: str) -> tuple[int, dict[str, object]]:
    """Prove by rate: the exit code, and the result."""
    done = tried("prove", target, "--rate", "200", "--for", "1s", "--json", *words)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
def test_a_rate_is_kept() -> None:
    """A server that answers every request that was due holds, and none is left over."""
    with RawServer(always(OK)) as server:
        code, result = by_rate(f"http://127.0.0.1:{server.port}/", "--arrivals", "poisson")
    assert (code, result["verdict"], result["reasons"]) == (0, "held", [])
    totals, paced = result["totals"], result["open_loop"]
    assert isinstance(totals, dict)
    assert isinstance(paced, dict)
    assert [totals[name] for name in ("intended", "answered", "unsent")] == [200, 200, 0]
    assert (paced["rate"], paced["arrivals"], paced["answered_rate"]) == (200, "poisson", 200)


@pytest.mark.slow
def test_a_server_that_never_answers_does_not_keep_a_rate(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What was sent is unfinished, what found no connection is unsent, and the reasons say so."""
    monkeypatch.setattr(target, "GRACE_S", 1.0)

    def serve(connection: Connection) -> None:
        connection.request()
        connection.request()

    with RawServer(serve) as server:
        url = f"http://127.0.0.1:{server.port}/"
        words = ("prove", url, "--rate", "200", "--for", "1s", "--connections", "5", "--json")
        code = commands(words, standalone_mode=False)
    reasons = json.loads(capfd.readouterr().out)["reasons"]
    assert code == 1
    assert "195 requests were due and not sent: no connection was free" in reasons
    assert "5 requests were not answered in the grace time" in reasons


@pytest.mark.slow
def test_an_app_is_sized_and_proved_by_rate(tmp_path: Path) -> None:
    """An app is started for rate x mean time, and answers all that was due."""
    code, result = by_rate("wait:app", "--app-dir", WAIT, "--mean-time", "100ms")
    assert (code, result["verdict"]) == (0, "held")


@pytest.mark.slow
@pytest.mark.beside
def test_nobody_there_is_said() -> None:
    """Where nobody listens no run begins, and that is bad input with a hint."""
    port = free_port()
    done = holdfast("prove", f"http://127.0.0.1:{port}/", "--rate", "200", "--for", "1s")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: nothing listens on 127.0.0.1:{port}\n  at TARGET\nhint: " in done.stderr
