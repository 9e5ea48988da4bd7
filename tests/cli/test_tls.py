"""`--tls`: what stands for it, and where it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.context import Options, plan_path
from holdfast.cli.edges import Chosen
from holdfast.cli.tls import with_tls
from holdfast.model.errors import BadInput
from holdfast.model.front.tls import Tls
from holdfast.readers.project import Project, read_project
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
