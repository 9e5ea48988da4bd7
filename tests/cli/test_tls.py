"""`--tls`: what stands for it, and where it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.context import Options, Planned, plan_path
from holdfast.cli.edges import Chosen
from holdfast.cli.tls import with_tls
from holdfast.facts.profiles import read_profiles
from holdfast.model.errors import BadInput
from holdfast.model.front.tls import Tls
from holdfast.programs.tls import A_BLOCK, storm
from holdfast.readers.project import Project, read_project
from holdfast.sizing.tls import LEAST_CACHE
from tests.certificates import signed
from tests.cli.run import holdfast

FILES = '[edge.tls]\ncertificate = "chain.pem"\nkey = "/keys/key.pem"\n'


def test_tls_without_a_table_is_signed_by_itself() -> None:
    """`--tls` where holdfast.toml has no `[edge.tls]` stands for a certificate of its own."""
    project = with_tls(Project(), asked=True, chosen=Chosen("nginx", "1.22.1"))
    assert project.edge.tls == Tls(self_signed=True)


def test_tls_beside_a_table_changes_nothing() -> None:
    """The table's own certificate is kept where `--tls` is given too."""
    told = read_project(FILES, "holdfast.toml")
    assert with_tls(told, asked=True, chosen=Chosen("nginx", "1.22.1")) == told


def test_paths_start_at_the_files_own_folder(tmp_path: Path) -> None:
    """A relative path is of holdfast.toml's folder, wherever the command is typed."""
    (tmp_path / "holdfast.toml").write_text(FILES)
    planned = plan_path(Options("", str(tmp_path), None, 100, edge="nginx"))
    tls = planned.project.edge.tls
    assert tls is not None
    assert (tls.certificate, tls.key) == (str(tmp_path / "chain.pem"), "/keys/key.pem")


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('certificate = "a.pem"', "`certificate` and `key` are needed"),
        ('key = "a.pem"', "`certificate` and `key` are needed"),
        ('self_signed = true\nkey = "a.pem"', "none can be named beside it"),
        ('self_signed = true\nminimum = "1.1"', "Invalid enum value '1.1'"),
        ("self_signed = true\nredirect = 65536", "<= 65535"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(table: str, fault: str) -> None:
    """The file is named, and what is wrong with its keys."""
    with pytest.raises(BadInput) as refused:
        read_project(f"[edge.tls]\n{table}\n", "holdfast.toml")
    assert fault in refused.value.fault
    assert refused.value.place == "holdfast.toml"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("plan", "-n", "50", "--edge", "none", "--tls"), "`--tls` is spoken by an edge"),
        (("demo", "-n", "50", "--tls"), "`--tls` is spoken by an edge"),
        (("prove", "http://127.0.0.1:1/", "-n", "5", "--tls"), "`--tls` contradicts a URL"),
        (
            ("prove", "a:app", "-n", "5", "--tls", "--profile-out", "x.json"),
            "`--tls` contradicts `--profile-out`",
        ),
    ],
)
def test_tls_where_no_edge_speaks_it_is_refused(words: tuple[str, ...], fault: str) -> None:
    """Exit code 2 with what contradicts it, before anything starts."""
    done = holdfast(*words)
    assert done.returncode == 2
    assert fault in done.stderr


def plan(tmp_path: Path, table: str, **fields: Any) -> Planned:
    """A plan of 100 in flight and as many idle clients, for a file with the table."""
    (tmp_path / "holdfast.toml").write_text(f"[edge.tls]\n{table}\n")
    told = {"edge": "nginx", "idle": 100, **fields}
    return plan_path(Options("", str(tmp_path), None, 100, **told))


def test_a_plan_notes_what_a_start_would_refuse(tmp_path: Path) -> None:
    """Where the certificate's files cannot serve here, a plan says so, and a trial is refused."""
    noted = plan(tmp_path, 'certificate = "a.pem"\nkey = "a.pem"').notes
    (note,) = (note for note in noted if "certificate" in note)
    assert note.endswith(f"there is no such file - at {tmp_path}/a.pem")
    with pytest.raises(BadInput, match="there is no such file"):
        plan(tmp_path, 'certificate = "a.pem"\nkey = "a.pem"', here=True)


def test_a_plan_notes_when_the_certificate_ends(tmp_path: Path) -> None:
    """Whoever plans with a certificate that ends soon hears of it."""
    files = signed(tmp_path / "files", days=3)
    noted = plan(tmp_path, f'certificate = "{files.certificate}"\nkey = "{files.key}"').notes
    assert any(note.startswith("the certificate ends in 3.0 days") for note in noted)


@pytest.mark.parametrize(
    ("program", "streams"), [("nginx", 1), ("haproxy", 1), ("nginx", 50), ("haproxy", 50)]
)
def test_a_plan_counts_tls(program: str, streams: int, tmp_path: Path) -> None:
    """Memory of each client's connection, and the handshakes of all of them at once, are the
    measured ones; HTTP/2 clients have fewer connections."""
    secure = plan(tmp_path, "self_signed = true", edge=program, streams=streams)
    plain = plan_path(Options("", ".", None, 100, idle=100, edge=program, streams=streams))
    row, clients = read_profiles()[f"{program}-tls"], 100 / streams + 100
    more = secure.memory_by_hop()["edge"] - plain.memory_by_hop()["edge"]
    sessions = LEAST_CACHE if program == "nginx" else LEAST_CACHE // A_BLOCK * A_BLOCK
    streamed = 100 * row["h2_request_bytes"] if streams > 1 else 0
    connections = clients * row["tls_connection_bytes"]
    assert more == pytest.approx(sessions + connections + streamed, rel=0.001)
    (note,) = (note for note in secure.notes if "reconnect" in note)
    assert note.startswith(f"{clients:g} clients that reconnect at once take {program} ")
    found = storm(secure.path.hop("edge"), secure.demand, secure.host.cores)
    assert found is not None
    assert found.full_s == clients * row["tls_handshake_cpu_s"] / secure.host.cores


def test_a_certificate_of_files_costs_nginx_more(tmp_path: Path) -> None:
    """nginx reads files that may change for each new session, and HAProxy does not."""
    files = signed(tmp_path / "files")
    table = f'certificate = "{files.certificate}"\nkey = "{files.key}"'
    for program in ("nginx", "haproxy"):
        kept, read = (
            storm(planned.path.hop("edge"), planned.demand, 1.0)
            for planned in (
                plan(tmp_path, "self_signed = true", edge=program),
                plan(tmp_path, table, edge=program),
            )
        )
        assert kept is not None
        assert read is not None
        assert (read.full_s > kept.full_s) == (program == "nginx")
        assert read.resumed_s == kept.resumed_s
