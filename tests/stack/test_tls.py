"""TLS before real stacks: versions, HTTP/2, sessions that resume, a certificate that changes."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.front.front import Front
from holdfast.model.front.tls import Tls
from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from tests.certificates import Files, signed
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.driving import running, wait_for_in_flight
from tests.stack.edges import UNBUFFERED, behind
from tests.stack.tls import V12, V13, ask, ask_h2, connected, context, resumes

pytestmark = pytest.mark.slow
HELD = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n"


@contextlib.contextmanager
def speaking(program: Program, tls: Tls, nofile: int = 20_000) -> Iterator[StackProcess]:
    """A stack of the held app behind the program, whose port speaks TLS."""
    with running(**behind(program, front=Front(UNBUFFERED.body, tls=tls), nofile=nofile)) as stack:
        yield stack


@pytest.fixture(scope="module", params=PROGRAMS)
def stack(request: pytest.FixtureRequest) -> Iterator[StackProcess]:
    """One stack for all that changes nothing of it; of HAProxy it has several processes."""
    tls = Tls(self_signed=True, redirect=0, hsts=60.0)
    with speaking(request.param, tls, nofile=1_500) as made:
        yield made


@pytest.mark.parametrize("version", [V12, V13])
def test_it_speaks_the_version(stack: StackProcess, version: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3, each with a cipher of forward secrecy, and a request over it."""
    with connected(stack.port, context(version)) as client:
        assert client.version() == version.name.replace("_", ".")
        name, _, _ = client.cipher() or ("", "", 0)
        assert name.startswith(("ECDHE-", "TLS_"))
        assert ask(client) == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_it_does_not_speak_older_ones(stack: StackProcess) -> None:
    """TLS 1.1 is refused in the handshake, and so is plain HTTP."""
    with (
        pytest.raises(ssl.SSLError, match="alert protocol version"),
        connected(stack.port, context(ssl.TLSVersion.TLSv1_1)),
    ):
        pass
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as plain:
        assert ask(plain) in {0, 400}


def test_http_2_is_for_those_who_ask(stack: StackProcess) -> None:
    """By ALPN a client has HTTP/2; one that does not ask for it has HTTP/1.1."""
    with connected(stack.port, context(alpn=("h2", "http/1.1"))) as client:
        assert client.selected_alpn_protocol() == "h2"
        assert ask_h2(client) == 200
    with connected(stack.port, context(alpn=("http/1.1",))) as client:
        assert client.selected_alpn_protocol() == "http/1.1"
        assert ask(client) == 200


@pytest.mark.parametrize(("length", "answers"), [(100, {200}), (2**20 + 1, {413, 411, 0})])
def test_a_body_of_http_2_is_limited(stack: StackProcess, length: int, answers: set[int]) -> None:
    """A body that says no length passes where it is short, and one over the limit does not."""
    with connected(stack.port, context(alpn=("h2",))) as client:
        sent = min(length, 16_384)
        said = (("content-length", str(length)),) if length > sent else ()
        assert ask_h2(client, *said, body=b"x" * sent) in answers


@pytest.mark.parametrize("version", [V12, V13])
def test_a_ticket_resumes_in_every_process(stack: StackProcess, version: ssl.TLSVersion) -> None:
    """Whichever process a client meets the next time, its ticket is good there."""
    assert resumes(stack.port, context(version)) == 8


def test_the_other_port_redirects(stack: StackProcess) -> None:
    """Plain HTTP is sent to the same place by https; a request without a host is refused."""
    port = stack.serving.redirect
    for head, found in (
        ("GET /a?b=c HTTP/1.1\r\nhost: a.test:80\r\n\r\n", f"https://a.test:{stack.port}/a?b=c"),
        ("POST / HTTP/1.1\r\nhost: [::1]\r\ncontent-length: 0\r\n\r\n", f"[::1]:{stack.port}/"),
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 400"),
    ):
        for _ in range(4):  # whichever process takes it
            with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
                plain.sendall(head.encode())
                answer = plain.recv(65_536).decode()
            assert found in answer
            assert answer.startswith("HTTP/1.1 308") == ("https" in found or "::1" in found)


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_tickets_it_remembers_sessions(program: Program) -> None:
    """A client of TLS 1.2 resumes by its session's id, and one of 1.3 by what stands for it."""
    with speaking(program, Tls(self_signed=True, tickets=False, minimum="1.2")) as stack:
        assert resumes(stack.port, context(V12)) == 8
        client = context(V12)
        client.options |= ssl.OP_NO_TICKET
        assert resumes(stack.port, client) == 8


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_oldest_version_is_a_choice(program: Program) -> None:
    """`minimum = "1.3"` refuses 1.2, and without `http2` nobody gets it."""
    with speaking(program, Tls(self_signed=True, minimum="1.3", http2=False)) as stack:
        with pytest.raises(ssl.SSLError), connected(stack.port, context(V12)):
            pass
        with connected(stack.port, context(alpn=("h2", "http/1.1"))) as client:
            assert client.selected_alpn_protocol() != "h2"
            assert ask(client) == 200


def link(folder: Path, to: Files) -> Files:
    """Have the names that the table has lead to the pair, as certbot's do."""
    names = Files(folder / "fullchain.pem", folder / "privkey.pem")
    for name, path in zip(names, to, strict=True):
        new = folder / "new"
        new.symlink_to(path)
        os.replace(new, name)
    return names


def shown(port: int) -> bytes:
    """The certificate that a new client is shown."""
    with connected(port, context()) as client:
        return client.getpeercert(binary_form=True) or b""


def told(stack: StackProcess, kind: str) -> list[str]:
    return [event.text for event in stack.edge_events() if event.kind == f"edge_certificate_{kind}"]


class Coming:
    """A thread of new clients, one after the other: how many were answered, and how many not."""

    def __init__(self, port: int) -> None:
        self.answered = self.failed = 0
        self._port, self._is_over = port, False
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._is_over:
            try:
                with connected(self._port, context()) as client:
                    is_well = ask(client) == 200
            except OSError:
                is_well = False
            self.answered += is_well
            self.failed += not is_well

    def __enter__(self) -> Coming:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_renewed_certificate_loses_nobody(program: Program, tmp_path: Path) -> None:
    """New clients are shown the new one; requests in flight, idle clients and those who come
    meanwhile are all answered; one that is broken is refused, and the one before stays."""
    before, after = signed(tmp_path / "1"), signed(tmp_path / "2")
    names = link(tmp_path, before)
    tls = Tls(*map(str, names), hostnames=("a.test",))
    with speaking(program, tls, nofile=1_500) as stack, contextlib.ExitStack() as undo:
        old = shown(stack.port)
        crowd = [undo.enter_context(connected(stack.port, context())) for _ in range(40)]
        assert all(ask(client) == 200 for client in crowd)
        held, idle = crowd[:20], crowd[20:]
        for client in held:
            client.sendall(HELD.encode())
        wait_for_in_flight(stack, len(held))
        with Coming(stack.port) as coming:
            link(tmp_path, after)
            wait_until(lambda: told(stack, "changed"), what="another certificate")
            assert {shown(stack.port) for _ in range(8)}.isdisjoint({old})
            link(tmp_path, before._replace(key=after.key))
            wait_until(lambda: told(stack, "refused"), what="a refusal")
        assert "it is not the key of" in told(stack, "refused")[0]
        new = shown(stack.port)
        assert new != old
        assert [ask(client, "x") for client in held] == [200] * len(held)
        assert [ask(client) for client in idle] == [200] * len(idle)
        assert (coming.failed, coming.answered > 0) == (0, True)
        assert len(told(stack, "changed")) == 1
