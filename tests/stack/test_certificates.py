"""Which certificates are refused before anything starts, and what is said of those that are not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.front.tls import Tls
from holdfast.stack.certificates import read_pair, self_signed
from holdfast.stack.renewal import LOOK_S, MARGIN_S, Renewal, idle_turn
from holdfast.writers.nginx_tls import TURNS
from tests.certificates import Files, openssl, signed


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A pair that serves."""
    return signed(tmp_path_factory.mktemp("good"))


def table(files: Files, *hostnames: str) -> Tls:
    """The table that names the files."""
    return Tls(str(files.certificate), str(files.key), hostnames=hostnames)


def sealed(files: Files, folder: Path) -> Files:
    key = folder / "sealed.key"
    openssl("pkey", "-in", files.key, "-aes256", "-passout", "pass:secret", "-out", key)
    return files._replace(key=key)


def another(files: Files, folder: Path) -> Files:
    return files._replace(key=signed(folder, "b.test").key)


def expired(_: Files, folder: Path) -> Files:
    return signed(folder, "late.test", days=-1)


def missing(files: Files, folder: Path) -> Files:
    return files._replace(certificate=folder / "nothing.pem")


def swapped(files: Files, _: Path) -> Files:
    return Files(files.key, files.certificate)


def garbage(files: Files, folder: Path) -> Files:
    bad = folder / "bad.pem"
    bad.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return files._replace(certificate=bad)


def fifo(files: Files, folder: Path) -> Files:
    os.mkfifo(folder / "fifo")
    return files._replace(key=folder / "fifo")


def huge(files: Files, folder: Path) -> Files:
    (folder / "huge").write_bytes(b" " * (2**20 + 1))
    return files._replace(key=folder / "huge")


@pytest.mark.parametrize(
    ("spoil", "fault", "of_key"),
    [
        (sealed, "the key is sealed by a passphrase", True),
        (another, "it is not the key of ", True),
        (expired, "the certificate has expired", False),
        (missing, "there is no such file", False),
        (swapped, "there is no certificate in it", False),
        (garbage, "OpenSSL refuses it", False),
        (fifo, "it is no file", True),
        (huge, "it is longer than any certificate", True),
    ],
)
def test_a_pair_that_cannot_serve_is_refused(
    good: Files,
    tmp_path: Path,
    spoil: Callable[[Files, Path], Files],
    fault: str,
    of_key: bool,
) -> None:
    """The fault names the file that is wrong, and there is a hint."""
    files = spoil(good, tmp_path)
    with pytest.raises(BadInput) as refused:
        read_pair(table(files), time.time())
    assert fault in refused.value.fault
    assert refused.value.place == str(files.key if of_key else files.certificate)
    assert refused.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_files_that_may_not_be_read_are_refused(good: Files) -> None:
    """As a user without the right: the fault is the system's word, and a hint says who needs it."""
    good.key.chmod(0o600)
    os.seteuid(65_534)
    try:
        with pytest.raises(BadInput) as refused:
            read_pair(table(good), time.time())
    finally:
        os.seteuid(0)
    assert "Permission denied" in refused.value.fault
    assert "the edge itself need not" in str(refused.value.hint)


@pytest.mark.parametrize("name", ["b.test", "192.0.2.1"])
def test_a_certificate_of_another_name_is_refused(good: Files, name: str) -> None:
    """Where the table says host names, each of them must be one of the certificate's."""
    with pytest.raises(BadInput) as refused:
        read_pair(table(good, "a.test", name), time.time())
    assert refused.value.fault == f"the certificate is not good for {name}"
    assert not read_pair(table(good, "a.test", "127.0.0.1"), time.time()).notes


def test_what_ends_within_a_fortnight_is_noted(tmp_path: Path) -> None:
    """A certificate that nobody has renewed in time serves, and is talked of."""
    soon = read_pair(table(signed(tmp_path, days=13)), time.time())
    assert "the certificate ends in 13.0 days" in soon.notes[0]
    assert not read_pair(table(signed(tmp_path, days=15)), time.time()).notes


def test_a_missing_intermediate_is_noted(good: Files, tmp_path: Path) -> None:
    """One certificate alone that did not sign itself leaves clients with nothing to trust."""
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(good.certificate.read_bytes().split(b"-----END CERTIFICATE-----")[0])
    leaf.write_bytes(leaf.read_bytes() + b"-----END CERTIFICATE-----\n")
    (note,) = read_pair(table(good._replace(certificate=leaf)), time.time()).notes
    assert "no intermediate certificate" in note


@pytest.mark.parametrize("names", [(), ("x.test", "192.0.2.7", "::2")])
def test_one_that_signs_itself_is_good_for_its_names(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    """A pair of a run's own passes the same judgement, for the table's names or this machine's."""
    path = tmp_path / "own.pem"
    path.write_bytes(self_signed(Tls(self_signed=True, hostnames=names)).pem)
    asked = names or ("localhost", "127.0.0.1")
    (note,) = read_pair(table(Files(path, path), *asked), time.time()).notes
    assert "signed by itself" in note


def test_a_name_that_is_none_is_refused() -> None:
    """What `openssl` says of a host name is the hint."""
    with pytest.raises(BadInput) as refused:
        self_signed(Tls(self_signed=True, hostnames=("1.2.3.4.5",)))
    assert refused.value.place == "edge.tls.hostnames"
    assert "1.2.3.4.5" in refused.value.fault


def test_nginx_never_reads_what_is_replaced() -> None:
    """Of nginx's two files the one that is not read is replaced, and near a turn neither is."""
    read = [TURNS[second % 10 >= 5] for second in range(1_000, 1_040)]  # as the `map` says
    idle = [idle_turn(float(second)) for second in range(1_000, 1_040)]
    for at, name in enumerate(idle):
        near = range(max(0, at - int(MARGIN_S)), min(len(read), at + int(MARGIN_S)))
        assert not name or all(read[second] != name for second in near)
    assert set(idle) == {"", *TURNS}


class Answering:
    """A process of HAProxy by what it answers."""

    pid = 1

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def say(self, command: str) -> str:
        return self._answer


@pytest.mark.parametrize(
    ("answer", "told"),
    [("Success!", [None]), ("Can't replace it", ["HAProxy (1) says: Can't replace it"])],
)
def test_what_haproxy_refuses_is_not_called_changed(
    answer: str, told: list[str | None], tmp_path: Path
) -> None:
    """Another pair is said to serve where the process took it, and only then."""
    files = signed(tmp_path / "pair")
    reported: list[str | None] = []
    renewal = Renewal(table(files), "haproxy", reported.append)
    renewal.write(str(tmp_path), None)
    signed(tmp_path / "pair")
    for look in range(1, 4):
        renewal.step(look * LOOK_S, [Answering(answer)])
    assert reported == told
