"""TLS in the edges' files: accepted by the real programs, explained, absent where nobody asks."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.model.front.front import Front
from holdfast.model.front.tls import Tls
from holdfast.model.path import Hop
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.stack.renewal import Renewal
from holdfast.writers.site import Site, plain
from tests.certificates import Files, signed
from tests.edges import PROGRAMS, demand, host
from tests.writers.test_edges import SLOTS, WRITERS, check

TRIAL = Tls(self_signed=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A pair that serves."""
    return signed(tmp_path_factory.mktemp("files"))


def sized(program: Program, tls: Tls | None) -> Hop:
    """An edge for 2,000 in flight before three slots."""
    return size_edge(demand(), host(), EdgeLayout(program, "", front=Front(tls=tls)), len(SLOTS))


def written(program: Program, tls: Tls | None, port: int = 1, besides: int = 0) -> dict[str, str]:
    """The files of such an edge; `besides` is the port that redirects, where there is one."""
    redirect = (f"127.0.0.1:{besides}",) if besides else ()
    site = Site((f"127.0.0.1:{port}",), SLOTS, front=Front(tls=tls), redirect=redirect, port=port)
    return WRITERS[program](sized(program, tls), site)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"minimum": "1.3", "tickets": False, "redirect": 0, "hsts": 3_600.0},
        {"http2": False},
    ],
)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_accepts_it(
    program: Program,
    fields: dict[str, object],
    files: Files,
    tmp_path: Path,
    free_port: int,
) -> None:
    """Each table, with a pair of its own and with files, passes the program's own test."""
    folder = tmp_path / "edge"
    folder.mkdir()
    for tls in (TRIAL, Tls(*map(str, files))):
        made = msgspec.structs.replace(tls, **fields)
        Renewal(made, program, lambda _: None).write(str(folder), None)
        besides = 0 if made.redirect is None else free_port + 1
        for name, text in written(program, made, free_port, besides).items():
            (folder / name).write_text(text)
            judged = check(program, folder / name)
            assert (judged.returncode, "emerg" in judged.stderr) == (0, False), judged.stderr
            assert "WARNING" not in judged.stderr
            assert "[warn]" not in judged.stderr


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_each_value_stands_below_its_formula(program: Program) -> None:
    """What TLS adds to the hop is written below its reason, and nothing else is."""
    plain_edge = {value.setting for value in sized(program, None).values}
    text = "".join(written(program, TRIAL).values())
    flat = " ".join(text.replace("# ", "").split())
    added = [v for v in sized(program, TRIAL).values if v.setting not in plain_edge]
    assert len(added) >= 3
    for value in added:
        assert value.why in flat
        assert plain(value) in flat


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_without_the_table_there_is_no_tls(program: Program) -> None:
    """Not a line speaks of TLS where nobody asked for it."""
    text = "".join(written(program, None).values())
    assert "ssl" not in text
    assert "https" not in text


@pytest.mark.parametrize("port", [443, 8_443])
@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_the_usual_port_is_not_named(program: Program, port: int) -> None:
    """The address that clients are sent to names its port, unless it is 443."""
    tls = msgspec.structs.replace(TRIAL, redirect=80)
    text = "".join(written(program, tls, port, 80).values())
    (line,) = (line for line in text.splitlines() if "308 https" in line or "code 308" in line)
    assert (":8443" in line) == (port == 8_443)
    assert ":443" not in line


def test_a_certificate_of_files_is_read_anew_and_one_of_a_trial_is_not() -> None:
    """nginx reads a pair that may change for each new session, and keeps one that cannot."""
    (of_files,) = written("nginx", Tls("a", "b")).values()
    (of_trial,) = written("nginx", TRIAL).values()
    assert "ssl_certificate $tls_pair;" in of_files
    assert "ssl_certificate tls.pem;" in of_trial
    assert "$tls_pair" not in of_trial
